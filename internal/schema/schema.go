// Package schema holds the JSON Schemas of every event, checks events against them
// and describes them as AsyncAPI.
//
// events.json is the one source: the checks, the schemas that are shown, the sample
// events and docs/asyncapi.yaml all come from it. Its definitions with an x-topic are
// the types of events. The checker knows only the keywords that events.json uses and
// refuses a schema with any other; the tests hold its verdicts against those of a
// complete validator, which would double the time that todoctl takes to start.
//
// It doesn't make or publish events, and it says nothing about events of types that
// it doesn't know.
package schema

import (
	"bytes"
	_ "embed" // events.json
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

//go:embed events.json
var events []byte

// A Type is a type of event.
type Type struct {
	Name        string // as in the CloudEvent's type
	Topic       string
	Key         string // what the Kafka key is
	Description string
}

// A Set holds the schemas of all events. It may be used by several goroutines at
// once.
type Set struct {
	dialect, id string
	defs        []definition
	types       []Type
	nodes       map[string]*node // by the type's name
}

// A definition is a member of events.json's $defs.
type definition struct {
	name string
	raw  json.RawMessage
	refs []string // the definitions it refers to
	head struct {
		Description string            `json:"description"`
		Topic       string            `json:"x-topic"`
		Key         string            `json:"x-key"`
		Examples    []json.RawMessage `json:"examples"`
	}
}

// Load reads the schemas that the binary carries. An error is a mistake in them.
func Load() (*Set, error) { return parse(events) }

func parse(document []byte) (*Set, error) {
	var top struct {
		Schema string          `json:"$schema"`
		ID     string          `json:"$id"`
		Defs   json.RawMessage `json:"$defs"`
	}
	if err := json.Unmarshal(document, &top); err != nil {
		return nil, fmt.Errorf("event schemas: %w", err)
	}
	s := &Set{dialect: top.Schema, id: top.ID}
	var failed error
	w := walker{b: top.Defs}
	w.members(func(key []byte) {
		name := string(key)
		d := definition{name: name, raw: w.skip()}
		if err := json.Unmarshal(d.raw, &d.head); err != nil && failed == nil {
			failed = fmt.Errorf("event schema %s: %w", name, err)
		}
		d.refs = references(d.raw)
		s.defs = append(s.defs, d)
		if d.head.Topic != "" {
			s.types = append(s.types, Type{Name: name, Topic: d.head.Topic, Key: d.head.Key, Description: d.head.Description})
		}
	})
	if failed != nil {
		return nil, failed
	}
	var err error
	s.nodes, err = s.compile()
	return s, err
}

// references are the names of the definitions that a schema refers to.
func references(raw []byte) []string {
	var names []string
	const mark = `"#/$defs/`
	for rest := string(raw); ; {
		_, after, found := strings.Cut(rest, mark)
		if !found {
			return names
		}
		var name string
		name, rest, _ = strings.Cut(after, `"`)
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
}

func (s *Set) definition(name string) *definition {
	for i := range s.defs {
		if s.defs[i].name == name {
			return &s.defs[i]
		}
	}
	return nil
}

// Names are the names of Types, for those who need no more: Load takes its time.
func Names() []string {
	return []string{
		"task.created", "task.updated", "task.completed", "task.reopened", "task.deleted",
		"reminder.scheduled", "reminder.due", "reminder.cancelled", "task.sync",
	}
}

// Types lists the types of events, in the order of a task's life.
func (s *Set) Types() []Type { return slices.Clone(s.types) }

// Type returns the type of that name.
func (s *Set) Type(name string) (Type, bool) {
	i := slices.IndexFunc(s.types, func(t Type) bool { return t.Name == name })
	if i < 0 {
		return Type{}, false
	}
	return s.types[i], true
}

// Example returns an event of the type, as one line of JSON, or nil for a type that
// it doesn't know. It is the event of task 123, of 2026-02-17T12:00:00.123456Z.
func (s *Set) Example(kind string) []byte {
	d := s.definition(kind)
	if d == nil || len(d.head.Examples) == 0 {
		return nil
	}
	var line bytes.Buffer
	if err := json.Compact(&line, d.head.Examples[0]); err != nil {
		return nil
	}
	return line.Bytes()
}

// JSON returns the schema of a type with all that it refers to, indented, or nil for
// a type that it doesn't know.
func (s *Set) JSON(kind string) ([]byte, error) {
	if _, known := s.Type(kind); !known {
		return nil, nil
	}
	needed := []string{kind}
	for i := 0; i < len(needed); i++ {
		for _, name := range s.definition(needed[i]).refs {
			if !slices.Contains(needed, name) {
				needed = append(needed, name)
			}
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"$schema":%q,"$id":%q,"$ref":%q,"$defs":{`, s.dialect, s.id+"/"+kind, "#/$defs/"+kind)
	comma := ""
	for _, d := range s.defs {
		if slices.Contains(needed, d.name) {
			fmt.Fprintf(&b, "%s%q:%s", comma, d.name, d.raw)
			comma = ","
		}
	}
	b.WriteString("}}")
	var out bytes.Buffer
	if err := json.Indent(&out, b.Bytes(), "", "  "); err != nil {
		return nil, fmt.Errorf("schema of %s: %w", kind, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
