package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// A node is a schema, ready to check values with.
type node struct {
	name       string  // of the member that it is for
	all        []*node // of $ref and allOf
	types      []string
	constant   string   // as compact JSON; "" is none
	enum       []string // as compact JSON
	required   []string
	properties map[string]*node
	items      *node
	minLength  int
	maxLength  int // -1 is none
	maxItems   int // -1 is none
	minimum    *float64
	dateTime   bool
}

// keywords are those that a schema may have here.
type keywords struct {
	Ref        string                     `json:"$ref"`
	AllOf      []json.RawMessage          `json:"allOf"`
	Type       json.RawMessage            `json:"type"`
	Const      json.RawMessage            `json:"const"`
	Enum       []json.RawMessage          `json:"enum"`
	Required   []string                   `json:"required"`
	Properties map[string]json.RawMessage `json:"properties"`
	Items      json.RawMessage            `json:"items"`
	MinLength  int                        `json:"minLength"`
	MaxLength  *int                       `json:"maxLength"`
	MaxItems   *int                       `json:"maxItems"`
	Minimum    *float64                   `json:"minimum"`
	Format     string                     `json:"format"`

	// These check nothing.
	Description string            `json:"description"`
	Examples    []json.RawMessage `json:"examples"`
	Topic       string            `json:"x-topic"`
	Key         string            `json:"x-key"`
}

// compile makes the nodes of every type.
func (s *Set) compile() (map[string]*node, error) {
	c := compiler{set: s, done: make(map[string]*node)}
	nodes := make(map[string]*node, len(s.types))
	for _, t := range s.types {
		n, err := c.definition(t.Name)
		if err != nil {
			return nil, fmt.Errorf("event schema %s: %w", t.Name, err)
		}
		nodes[t.Name] = n
	}
	return nodes, nil
}

type compiler struct {
	set  *Set
	done map[string]*node
}

func (c *compiler) definition(name string) (*node, error) {
	if n := c.done[name]; n != nil {
		return n, nil
	}
	d := c.set.definition(name)
	if d == nil {
		return nil, fmt.Errorf("refers to %q, which isn't there", name)
	}
	n := new(node)
	c.done[name] = n // before its own, which may refer back to it
	return n, c.fill(n, d.raw)
}

func (c *compiler) node(raw []byte) (*node, error) {
	n := new(node)
	return n, c.fill(n, raw)
}

func (c *compiler) fill(n *node, raw []byte) error {
	var k keywords
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&k); err != nil {
		return err
	}
	*n = node{name: n.name, required: k.Required, minLength: k.MinLength, maxLength: limit(k.MaxLength), maxItems: limit(k.MaxItems), minimum: k.Minimum}
	var errs []error
	n.types = names(k.Type)
	n.constant = compact(k.Const)
	for _, value := range k.Enum {
		n.enum = append(n.enum, compact(value))
	}
	switch k.Format {
	case "":
	case "date-time":
		n.dateTime = true
	default:
		errs = append(errs, fmt.Errorf("format %q isn't checked here", k.Format))
	}
	return errors.Join(append(errs, c.children(n, k))...)
}

func (c *compiler) children(n *node, k keywords) error {
	var errs []error
	keep := func(child *node, err error) *node {
		errs = append(errs, err)
		return child
	}
	if k.Ref != "" {
		n.all = append(n.all, keep(c.definition(strings.TrimPrefix(k.Ref, "#/$defs/"))))
	}
	for _, raw := range k.AllOf {
		n.all = append(n.all, keep(c.node(raw)))
	}
	if k.Items != nil {
		n.items = keep(c.node(k.Items))
	}
	if k.Properties != nil {
		n.properties = make(map[string]*node, len(k.Properties))
	}
	for name, raw := range k.Properties {
		child := keep(c.node(raw))
		child.name = name
		n.properties[name] = child
	}
	return errors.Join(errs...)
}

func limit(n *int) int {
	if n == nil {
		return -1
	}
	return *n
}

// names is the keyword type: a string, or a list of them.
func names(raw json.RawMessage) []string {
	var list []string
	var one string
	switch {
	case raw == nil:
	case json.Unmarshal(raw, &one) == nil:
		list = []string{one}
	default:
		_ = json.Unmarshal(raw, &list) // what is neither leaves it empty, which the tests would see
	}
	return list
}

func compact(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return ""
	}
	return b.String()
}
