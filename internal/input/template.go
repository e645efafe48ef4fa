package input

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
)

// A Template is a text with parts that are new in every entry, written as in Go's
// text/template: {{uuid}} a UUIDv7; {{seq}} the number of the entry, from 1; {{now}}
// the time, RFC 3339 in UTC; {{randInt}} a whole number from 0, or {{randInt 1 100}}
// from 1 to 100. Nothing else of text/template is there. {{"{{"}} stands for {{ itself.
type Template struct {
	parts []part
}

// A part appends itself; seq is the number of the entry.
type part func(dst []byte, seq int) []byte

// TemplateForms lists what may stand in a template, for help and messages.
const TemplateForms = `{{uuid}} {{seq}} {{now}} {{randInt}} {{randInt 1 100}}`

// ParseTemplate reads a template. An error names the column, in characters from 1.
func ParseTemplate(text string) (*Template, error) {
	var t Template
	for rest := text; rest != ""; {
		before, after, found := strings.Cut(rest, "{{")
		t.literal(before)
		if !found {
			break
		}
		column := utf8.RuneCountInString(text[:len(text)-len(after)-2]) + 1
		var action string
		if action, rest, found = cutAction(after); !found {
			return nil, fmt.Errorf("column %d: {{ is not closed with }}", column)
		}
		p, err := parseAction(action)
		if err != nil {
			return nil, fmt.Errorf("column %d: %w; there are %s", column, err, TemplateForms)
		}
		t.parts = append(t.parts, p)
	}
	return &t, nil
}

// cutAction cuts after the }} that closes an action; a quoted text may hold one.
func cutAction(s string) (action, rest string, found bool) {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case !quoted && strings.HasPrefix(s[i:], "}}"):
			return s[:i], s[i+2:], true
		}
	}
	return "", "", false
}

func (t *Template) literal(s string) {
	if s != "" {
		t.parts = append(t.parts, func(dst []byte, _ int) []byte { return append(dst, s...) })
	}
}

func parseAction(action string) (part, error) {
	words := strings.Fields(action)
	if len(words) == 0 {
		return nil, fmt.Errorf("{{%s}} is empty", action)
	}
	if len(words) > 1 && words[0] != "randInt" {
		return nil, fmt.Errorf("{{%s}}: %s takes no arguments", action, words[0])
	}
	switch words[0] {
	case "uuid":
		return appendUUID, nil
	case "seq":
		return func(dst []byte, seq int) []byte { return strconv.AppendInt(dst, int64(seq), 10) }, nil
	case "now":
		return func(dst []byte, _ int) []byte { return appendNow(dst) }, nil
	case "randInt":
		return randInt(action, words[1:])
	}
	if text, err := strconv.Unquote(words[0]); err == nil {
		return func(dst []byte, _ int) []byte { return append(dst, text...) }, nil
	}
	return nil, fmt.Errorf("{{%s}} isn't known", action)
}

func randInt(action string, bounds []string) (part, error) {
	if len(bounds) == 0 {
		return func(dst []byte, _ int) []byte { return strconv.AppendInt(dst, int64(rand.Int32()), 10) }, nil
	}
	if len(bounds) != 2 {
		return nil, fmt.Errorf("{{%s}}: randInt takes the least and the most, or nothing", action)
	}
	least, err := strconv.ParseInt(bounds[0], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("{{%s}}: %q is no whole number of 32 bits", action, bounds[0])
	}
	most, err := strconv.ParseInt(bounds[1], 10, 32)
	if err != nil {
		return nil, fmt.Errorf("{{%s}}: %q is no whole number of 32 bits", action, bounds[1])
	}
	if least > most {
		return nil, fmt.Errorf("{{%s}}: %d is more than %d", action, least, most)
	}
	return func(dst []byte, _ int) []byte { return strconv.AppendInt(dst, least+rand.Int64N(most-least+1), 10) }, nil
}

// Append appends the text for the entry of that number.
func (t *Template) Append(dst []byte, seq int) []byte {
	for _, p := range t.parts {
		dst = p(dst, seq)
	}
	return dst
}

func appendNow(dst []byte) []byte { return time.Now().UTC().AppendFormat(dst, time.RFC3339Nano) }

func appendUUID(dst []byte, _ int) []byte {
	return append(dst, uuid.Must(uuid.NewV7()).String()...) // crypto/rand never fails
}
