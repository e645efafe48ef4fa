package topics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// syntaxError says where a file is neither YAML nor JSON. A file that begins like
// JSON is read as such once more, for its errors name a place.
func syntaxError(name string, data []byte, err error) error {
	if trimmed := bytes.TrimSpace(data); len(trimmed) > 0 && trimmed[0] == '{' {
		var syntax *json.SyntaxError
		if errors.As(json.Unmarshal(data, new(any)), &syntax) {
			line := 1 + bytes.Count(data[:syntax.Offset], []byte("\n"))
			return fmt.Errorf("%s:%d: %w", name, line, syntax)
		}
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(text)
	if m == nil {
		return fmt.Errorf("%s: %s", name, text)
	}
	line, _ := strconv.Atoi(m[1]) // digits
	text = text[len(m[0]):]
	if parserText(text) {
		return fmt.Errorf("%s:%d: %s in what begins on this line", name, line+1, text)
	}
	return fmt.Errorf("%s:%d: %s", name, line, text)
}

// parserText tells an error of yaml's parser from one of its scanner: the parser
// counts lines from 0, and names the line where the mapping or list begins.
func parserText(text string) bool {
	for _, begin := range []string{"did not find expected key", "did not find expected '-'", "did not find expected ','", "did not find expected node"} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}
