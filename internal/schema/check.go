package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A Violation is something in an event that its schema doesn't allow.
type Violation struct {
	Path    string `json:"path"` // JSON Pointer (RFC 6901) to the value; "" is the event
	Message string `json:"message"`
}

func (v Violation) String() string {
	if v.Path == "" {
		return "the event " + v.Message
	}
	return v.Path + " " + v.Message
}

// Kind returns the type of a CloudEvent, "" when it has none. The event must be valid
// JSON.
func Kind(event []byte) string {
	kind := ""
	w := walker{b: event}
	w.members(func(key []byte) {
		value := w.skip()
		if string(key) == "type" && len(value) > 0 && value[0] == '"' {
			kind = string(text(value))
		}
	})
	return kind
}

// Check holds a CloudEvent of the type against the type's schema and returns all that
// is wrong with it, in the order of the event. The event must be valid JSON; an event
// of a type that has no schema is never wrong.
func (s *Set) Check(kind string, event []byte) []Violation {
	n := s.nodes[kind]
	if n == nil {
		return nil
	}
	c := checker{walker: walker{b: event}}
	c.value(n)
	return c.found
}

// A checker walks through an event with its schema.
type checker struct {
	walker
	path  []string
	found []Violation
}

func (c *checker) wrong(format string, args ...any) {
	c.found = append(c.found, Violation{Path: c.pointer(), Message: fmt.Sprintf(format, args...)})
}

func (c *checker) pointer() string {
	var b strings.Builder
	for _, step := range c.path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	return b.String()
}

// value checks the next value and passes over it.
func (c *checker) value(n *node) {
	first := c.peek()
	start := c.i
	switch first {
	case '{':
		c.object(n)
	case '[':
		c.array(n)
	default:
		c.scalar(n)
	}
	if len(n.types) == 0 && n.constant == "" && n.enum == nil {
		return
	}
	c.fixed(n, c.b[start:c.i])
}

// fixed checks what a schema says of the value as a whole.
func (c *checker) fixed(n *node, raw []byte) {
	if len(n.types) > 0 && !slices.ContainsFunc(n.types, func(t string) bool { return is(t, raw) }) {
		c.wrong("must be %s, is %s", strings.Join(n.types, " or "), describe(raw))
		return
	}
	if n.constant == "" && n.enum == nil {
		return
	}
	value := canonical(raw)
	if n.constant != "" && string(value) != n.constant {
		c.wrong("must be %s, is %s", n.constant, describe(raw))
	}
	if n.enum != nil && !slices.ContainsFunc(n.enum, func(one string) bool { return one == string(value) }) {
		c.wrong("must be one of %s, is %s", strings.Join(n.enum, ", "), describe(raw))
	}
}

func (c *checker) object(n *node) {
	if n.properties == nil {
		c.skip()
		return
	}
	var has uint64
	c.members(func(key []byte) {
		p := n.properties[string(key)]
		if p == nil {
			c.skip()
			return
		}
		has |= p.bit
		c.path = append(c.path, p.name)
		c.value(p.node)
		c.path = c.path[:len(c.path)-1]
	})
	for _, p := range n.required {
		if has&p.bit == 0 {
			c.path = append(c.path, p.name)
			c.wrong("is missing")
			c.path = c.path[:len(c.path)-1]
		}
	}
}

func (c *checker) array(n *node) {
	if n.items == nil && n.maxItems < 0 {
		c.skip()
		return
	}
	length := c.elements(func(i int) {
		if n.items == nil {
			c.skip()
			return
		}
		c.path = append(c.path, strconv.Itoa(i))
		c.value(n.items)
		c.path = c.path[:len(c.path)-1]
	})
	if n.maxItems >= 0 && length > n.maxItems {
		c.wrong("must have at most %d elements, has %d", n.maxItems, length)
	}
}

func (c *checker) scalar(n *node) {
	raw := c.skip()
	if len(raw) == 0 {
		return
	}
	if raw[0] == '"' {
		c.text(n, raw)
		return
	}
	if n.minimum == nil || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return
	}
	if number, err := strconv.ParseFloat(string(raw), 64); err == nil && number < *n.minimum {
		c.wrong("must be at least %v, is %s", *n.minimum, describe(raw))
	}
}

func (c *checker) text(n *node, raw []byte) {
	if n.minLength == 0 && n.maxLength < 0 && !n.dateTime {
		return
	}
	s := text(raw)
	length := utf8.RuneCount(s)
	switch {
	case length < n.minLength && length == 0:
		c.wrong("must not be empty")
	case length < n.minLength:
		c.wrong("must have at least %d characters, has %d", n.minLength, length)
	case n.maxLength >= 0 && length > n.maxLength:
		c.wrong("must have at most %d characters, has %d", n.maxLength, length)
	}
	if n.dateTime {
		if _, err := time.Parse(time.RFC3339, string(s)); err != nil {
			c.wrong("must be a time such as 2026-02-17T12:00:00Z, is %s", describe(raw))
		}
	}
}

// is tells whether a value has the type, as JSON Schema names types.
func is(kind string, raw []byte) bool {
	if len(raw) == 0 {
		return false
	}
	switch raw[0] {
	case '"':
		return kind == "string"
	case '{':
		return kind == "object"
	case '[':
		return kind == "array"
	case 't', 'f':
		return kind == "boolean"
	case 'n':
		return kind == "null"
	}
	return kind == "number" || kind == "integer" && whole(raw)
}

func whole(raw []byte) bool {
	if !bytes.ContainsAny(raw, ".eE") {
		return true
	}
	number, err := strconv.ParseFloat(string(raw), 64)
	return err == nil && number == math.Trunc(number)
}

// canonical is the value as a const or enum of a schema would be written.
func canonical(raw []byte) []byte {
	if len(raw) > 0 && raw[0] == '"' && bytes.IndexByte(raw, '\\') >= 0 {
		quoted, err := json.Marshal(string(text(raw)))
		if err == nil {
			return quoted
		}
	}
	return raw
}

// describe is a value in a message, cut where it is long.
func describe(raw []byte) string {
	const most = 60
	if utf8.RuneCount(raw) <= most {
		return string(raw)
	}
	return string([]rune(string(raw[:min(len(raw), most*utf8.UTFMax)]))[:most]) + "…"
}
