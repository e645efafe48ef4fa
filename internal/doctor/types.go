package doctor

import (
	_ "embed"
	"strings"
)

//go:embed types.txt
var typesText string

// A typeCatalog knows the component types of a full daprd, in small letters, and the
// metadata keys of some of them.
type typeCatalog map[string][]string

func knownTypes() typeCatalog {
	catalog := typeCatalog{}
	for line := range strings.Lines(typesText) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		name, keys, _ := strings.Cut(strings.TrimSpace(line), ":")
		catalog[name] = strings.Fields(keys)
	}
	return catalog
}

func (t typeCatalog) names() []string {
	var names []string
	for name := range t {
		names = append(names, name)
	}
	return names
}
