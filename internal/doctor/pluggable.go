package doctor

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// pluggable tells whether a component type may be somebody's own: Dapr finds those by
// the sockets in a folder.
func (s *subject) pluggable(typ string) bool {
	_, name, ok := strings.Cut(typ, ".")
	if !ok {
		return false
	}
	dir := cmp.Or(s.LookupEnv("DAPR_COMPONENTS_SOCKETS_FOLDER"), "/tmp/dapr-components-sockets")
	_, err := os.Stat(filepath.Join(dir, name+".sock"))
	return err == nil
}
