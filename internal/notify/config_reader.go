package notify

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A reader walks a YAML document and gathers what is wrong with it. yaml's own
// decoding names no keys and repeats values, which may be secrets.
type reader struct {
	errs []error
}

// A reads takes the value of one key; at is the key's path.
type reads = func(node *yaml.Node, at string)

func (r *reader) fail(node *yaml.Node, at, format string, args ...any) {
	r.errs = append(r.errs, fmt.Errorf("line %d: %s: %s", node.Line, at, fmt.Sprintf(format, args...)))
}

// join is the path of a key; one that isn't plain is quoted.
func join(at, key string) string {
	if key == "" || strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || c == '.' || c == ':' || c == '"' }) {
		key = strconv.Quote(key)
	}
	if at == "" {
		return key
	}
	return at + "." + key
}

// mapping reads each key of a mapping with its reader.
func (r *reader) mapping(node *yaml.Node, at string, keys map[string]reads) {
	for name, value := range r.pairs(node, at) {
		read, ok := keys[name.Value]
		if !ok {
			r.fail(name, join(at, name.Value), "is no key here; there are %s", strings.Join(slices.Sorted(maps.Keys(keys)), ", "))
			continue
		}
		read(value, join(at, name.Value))
	}
}

// pairs are the keys and values of a mapping; nothing after the colon is an empty
// one.
func (r *reader) pairs(node *yaml.Node, at string) iter.Seq2[*yaml.Node, *yaml.Node] {
	node = resolve(node)
	var content []*yaml.Node
	if node.Kind == yaml.MappingNode {
		content = node.Content
	} else if node.Tag != "!!null" {
		r.fail(node, cmp.Or(at, "notifications"), "must be keys with values")
	}
	return func(yield func(name, value *yaml.Node) bool) {
		seen := map[string]bool{}
		for i := 0; i+1 < len(content); i += 2 {
			name, value := resolve(content[i]), resolve(content[i+1])
			switch {
			case name.Kind != yaml.ScalarNode || name.Tag == "!!merge":
				r.fail(name, cmp.Or(at, "notifications"), "has a key that isn't a plain word")
				continue
			case seen[name.Value]:
				r.fail(name, join(at, name.Value), "is given twice")
				continue
			}
			seen[name.Value] = true
			if !yield(name, value) {
				return
			}
		}
	}
}

// lookup is the value of a key in a mapping, nil where it isn't there.
func lookup(node *yaml.Node, key string) *yaml.Node {
	node = resolve(node)
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		if resolve(node.Content[i]).Value == key {
			return resolve(node.Content[i+1])
		}
	}
	return nil
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// parsed reads a text with parse; where that fails the value must be what.
func (r *reader) parsed(what string, parse func(string) error) reads {
	return func(node *yaml.Node, at string) {
		if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || parse(node.Value) != nil {
			r.fail(node, at, "must be %s", what)
		}
	}
}

func (r *reader) text(to *string) reads {
	return r.parsed("a text", func(s string) error {
		*to = s
		return nil
	})
}

func (r *reader) secret(to *Secret) reads {
	return r.parsed("a text", func(s string) error {
		*to = NewSecret(s)
		return nil
	})
}

// scalar reads what is no text, such as a number.
func (r *reader) scalar(to any, what string) reads {
	return func(node *yaml.Node, at string) {
		if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Decode(to) != nil {
			r.fail(node, at, "must be %s", what)
		}
	}
}

func (r *reader) texts(to *[]string) reads {
	return func(node *yaml.Node, at string) {
		if node.Kind != yaml.SequenceNode || len(node.Content) == 0 {
			r.fail(node, at, "must be a list such as [a, b]")
			return
		}
		for _, item := range node.Content {
			var word string
			r.text(&word)(resolve(item), at)
			*to = append(*to, word)
		}
	}
}
