package topics

import (
	"bytes"
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/todoctl/todoctl/internal/kafka"
)

// Schema is the JSON Schema of a file of topics.
//
//go:embed topics.schema.json
var Schema []byte

// SpecKind and SpecVersion are what a file of topics may say of itself.
const (
	SpecKind    = "topics.spec"
	SpecVersion = 1
)

// Parse reads a file of topics, YAML or JSON, as docs/topics.md describes it. Its
// error names every mistake, a line each, with the name of the file and the line.
func Parse(name string, data []byte) ([]Spec, error) {
	f := file{name: name}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, fmt.Errorf("%s: the file is empty; 'todoctl topics spec' prints one to start from", name)
	case err != nil:
		return nil, syntaxError(name, data, err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		f.wrong(&more, "a second document begins; one file holds one")
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(name, data, err)
	}
	specs := f.document(doc.Content[0])
	if len(f.mistakes) > 0 {
		return nil, f.err()
	}
	return specs, nil
}

// file is one run of Parse.
type file struct {
	name     string
	mistakes []mistake
}

type mistake struct {
	line int
	text string
}

func (f *file) wrong(n *yaml.Node, format string, args ...any) {
	f.mistakes = append(f.mistakes, mistake{n.Line, fmt.Sprintf(format, args...)})
}

// err joins the mistakes in the order of their lines.
func (f *file) err() error {
	slices.SortFunc(f.mistakes, func(a, b mistake) int { return cmp.Or(a.line-b.line, cmp.Compare(a.text, b.text)) })
	var errs []error
	for _, m := range f.mistakes {
		errs = append(errs, fmt.Errorf("%s:%d: %s", f.name, m.line, m.text))
	}
	return errors.Join(errs...)
}

func (f *file) document(n *yaml.Node) []Spec {
	fields := f.fields(n, "the file", []string{"kind", "version", "topics"}, "topics")
	if kind := fields["kind"]; kind != nil && kind.Value != SpecKind {
		f.wrong(kind, "kind is %s, must be %q", kindOf(kind), SpecKind)
	}
	if version := fields["version"]; version != nil && version.Value != strconv.Itoa(SpecVersion) {
		f.wrong(version, "version is %s; this todoctl reads version %d", kindOf(version), SpecVersion)
	}
	list := fields["topics"]
	if list == nil {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		f.wrong(list, "topics must be a list, is %s", kindOf(list))
		return nil
	}
	specs := make([]Spec, 0, len(list.Content))
	lines := make(map[string]int)
	for _, item := range list.Content {
		s := f.topic(target(item))
		same := strings.ReplaceAll(s.Name, ".", "_") // Kafka refuses a.b beside a_b: their metrics would collide
		if line := lines[same]; line > 0 && s.Name != "" {
			f.wrong(item, "topic %q stands on line %d already ('.' and '_' are the same to Kafka)", s.Name, line)
		}
		lines[same] = item.Line
		specs = append(specs, s)
	}
	return specs
}

// fields are the values of a mapping by key. Known lists the keys that are allowed;
// nil allows any. What is no mapping has no fields.
func (f *file) fields(n *yaml.Node, what string, known []string, must ...string) map[string]*yaml.Node {
	n = target(n)
	if n.Kind != yaml.MappingNode {
		f.wrong(n, "%s must be keys and values, is %s", what, kindOf(n))
		return nil
	}
	fields, lines := make(map[string]*yaml.Node), make(map[string]int)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch line, twice := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode || key.Value == "":
			f.wrong(key, "a key must be a text, is %s", kindOf(key))
			continue
		case twice:
			f.wrong(key, "%q is given twice, on line %d already", key.Value, line)
		case known != nil && !slices.Contains(known, key.Value):
			f.wrong(key, "unknown key %q; %s", key.Value, meant(key.Value, known))
		}
		lines[key.Value] = key.Line
		fields[key.Value] = target(n.Content[i+1])
	}
	for _, key := range must {
		if fields[key] == nil {
			f.wrong(n, "%s has no %q", what, key)
		}
	}
	return fields
}

// meant names the known word that is near, or all.
func meant(word string, known []string) string {
	if near := kafka.Nearest(word, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are " + strings.Join(known, ", ")
}

// target is the node that an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// kindOf is a node in words.
func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "keys and values"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "empty"
	default:
		return strconv.Quote(n.Value)
	}
}
