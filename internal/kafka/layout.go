package kafka

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// LayoutForms are the most used parts of the grammar of NewLayout, for help.
const LayoutForms = `%t topic, %p partition, %o offset, %k key, %v or %s value, %d time, %h{%k=%v } headers, %K and %V sizes, ` +
	`%v{base64}, %v{hex}, %d{go[2006-01-02]}, %%, \n, \t`

// NewLayout returns a function that appends a record in a layout: the grammar of
// franz-go's record formatter, which rpk has too, and kcat's %s for the value. As
// there, nothing is added: a line ends with a \n of the layout.
func NewLayout(layout string) (func(dst []byte, r *kgo.Record) []byte, error) {
	if !utf8.ValidString(layout) {
		return nil, fmt.Errorf("layout %q isn't UTF-8", layout)
	}
	f, err := kgo.NewRecordFormatter(withoutKcat(layout))
	if err != nil {
		return nil, fmt.Errorf("layout %q: %w; accepted are %s", layout, err, LayoutForms)
	}
	return f.AppendRecord, nil
}

// withoutKcat writes %v for %s wherever that begins a part of the layout: not behind
// a backslash or another %, nor in the format of a time.
func withoutKcat(layout string) string {
	var b strings.Builder
	for len(layout) > 0 {
		size := partSize(layout)
		if part := layout[:size]; strings.HasPrefix(part, "%s") {
			b.WriteString("%v" + part[2:])
		} else {
			b.WriteString(part)
		}
		layout = layout[size:]
	}
	return b.String()
}

// partSize is how many bytes of the layout stand or fall together: a character, an
// escape, or a time with its format.
func partSize(layout string) int {
	if len(layout) < 2 || layout[0] != '\\' && layout[0] != '%' {
		return 1
	}
	if strings.HasPrefix(layout, "%d{") || strings.HasPrefix(layout, "%A{") {
		return 3 + timeSize(layout[3:])
	}
	return 2
}

// timeSize is the size of a Go or strftime format with its delimiters: go[…], go##…##.
func timeSize(s string) int {
	name := len(s) - len(strings.TrimPrefix(strings.TrimPrefix(s, "go"), "strftime"))
	if name == 0 || name == len(s) {
		return 0
	}
	open := s[name]
	n := len(s[name:]) - len(strings.TrimLeft(s[name:], string(open)))
	shut := map[byte]string{'{': "}", '[': "]", '(': ")"}[open]
	if shut == "" {
		shut = string(open)
	}
	begin := name + n
	end := strings.Index(s[begin:], strings.Repeat(shut, n))
	if end < 0 {
		return 0
	}
	return begin + end + n
}
