package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A node is a schema, ready to check values with in one pass: what it takes over by
// $ref and allOf is in it.
type node struct {
	types      []string
	constant   string   // as compact JSON; "" is none
	enum       []string // as compact JSON
	properties map[string]*property
	required   []*property
	items      *node
	minLength  int
	maxLength  int // -1 is none
	maxItems   int // -1 is none
	minimum    *float64
	dateTime   bool
}

// A property is a member that an object may have, or must.
type property struct {
	*node
	name string
	bit  uint64 // of its own among the required ones, 0 for the others
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
	c := compiler{set: s}
	nodes := make(map[string]*node, len(s.types))
	for _, t := range s.types {
		n := newNode()
		if err := c.reference(n, "#/$defs/"+t.Name); err != nil {
			return nil, fmt.Errorf("event schema %s: %w", t.Name, err)
		}
		nodes[t.Name] = n
	}
	return nodes, nil
}

type compiler struct {
	set  *Set
	path []string // the definitions that it is in
}

func newNode() *node { return &node{maxLength: -1, maxItems: -1} }

// reference adds what a definition says to a node.
func (c *compiler) reference(n *node, ref string) error {
	name := strings.TrimPrefix(ref, "#/$defs/")
	d := c.set.definition(name)
	if d == nil {
		return fmt.Errorf("refers to %q, which isn't there", name)
	}
	if slices.Contains(c.path, name) {
		return fmt.Errorf("%q refers to itself", name)
	}
	c.path = append(c.path, name)
	defer func() { c.path = c.path[:len(c.path)-1] }()
	return c.add(n, d.raw)
}

// add adds what a schema says to a node.
func (c *compiler) add(n *node, raw []byte) error {
	var k keywords
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&k); err != nil {
		return err
	}
	var errs []error
	if k.Ref != "" {
		errs = append(errs, c.reference(n, k.Ref))
	}
	for _, part := range k.AllOf {
		errs = append(errs, c.add(n, part))
	}
	errs = append(errs, n.value(k), n.limits(k))
	if k.Items != nil {
		if n.items == nil {
			n.items = newNode()
		}
		errs = append(errs, c.add(n.items, k.Items))
	}
	for name, part := range k.Properties {
		errs = append(errs, c.add(n.property(name).node, part))
	}
	for _, name := range k.Required {
		errs = append(errs, n.require(name))
	}
	return errors.Join(errs...)
}

// value adds what is said of the value as a whole. What two schemas say in different
// words isn't worked out: no schema here needs it.
func (n *node) value(k keywords) error {
	types, constant := names(k.Type), compact(k.Const)
	switch {
	case types != nil && n.types != nil && !slices.Equal(types, n.types):
		return fmt.Errorf("type %v beside type %v isn't checked here", types, n.types)
	case constant != "" && n.constant != "" && constant != n.constant, k.Enum != nil && n.enum != nil:
		return errors.New("a const or enum beside another isn't checked here")
	}
	if types != nil {
		n.types = types
	}
	if constant != "" {
		n.constant = constant
	}
	for _, value := range k.Enum {
		n.enum = append(n.enum, compact(value))
	}
	return nil
}

func (n *node) limits(k keywords) error {
	n.minLength = max(n.minLength, k.MinLength)
	n.maxLength = least(n.maxLength, k.MaxLength)
	n.maxItems = least(n.maxItems, k.MaxItems)
	if k.Minimum != nil && (n.minimum == nil || *k.Minimum > *n.minimum) {
		n.minimum = k.Minimum
	}
	switch k.Format {
	case "":
	case "date-time":
		n.dateTime = true
	default:
		return fmt.Errorf("format %q isn't checked here", k.Format)
	}
	return nil
}

func (n *node) property(name string) *property {
	p := n.properties[name]
	if p == nil {
		if n.properties == nil {
			n.properties = make(map[string]*property)
		}
		p = &property{node: newNode(), name: name}
		n.properties[name] = p
	}
	return p
}

func (n *node) require(name string) error {
	p := n.property(name)
	if p.bit != 0 {
		return nil
	}
	if p.bit = 1 << len(n.required); p.bit == 0 {
		return errors.New("more than 64 required members aren't checked here")
	}
	n.required = append(n.required, p)
	return nil
}

// least is the smaller limit; -1 and nil are none.
func least(n int, other *int) int {
	if other == nil || n >= 0 && n <= *other {
		return n
	}
	return *other
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
