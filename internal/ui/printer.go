// Package ui is how todoctl looks: results as text, JSON or YAML from the same
// value, tables, colours and log lines. It writes only to the writers that it is
// handed, and colours nothing unless it is told that a terminal is there.
package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Format is how results are printed.
type Format string

// The formats of --output.
const (
	Text Format = "text"
	JSON Format = "json"
	YAML Format = "yaml"
)

// A Printer prints a command's results.
type Printer struct {
	Out    io.Writer
	Format Format
	Color  bool // a terminal that shows colours
	Width  int  // of the terminal in columns, 0 where there is none: nothing is cut
}

// Version is the version of the JSON contract. Within a version keys are added,
// never renamed or removed.
const Version = 1

// Print writes a value: as text by calling text, else as an object that begins
// with "kind" and "version" and goes on with the value's own keys. The value must
// be a struct or a map.
func (p Printer) Print(kind string, value any, text func(io.Writer)) error {
	if p.Format == Text || p.Format == "" {
		var page bytes.Buffer
		text(&page)
		_, err := p.Out.Write(page.Bytes())
		return err
	}
	object, err := envelope(kind, value)
	if err != nil {
		return err
	}
	if p.Format == YAML {
		if object, err = toYAML(object); err != nil {
			return err
		}
	}
	_, err = p.Out.Write(object)
	return err
}

// envelope is the indented JSON object of a value, ending in a newline.
func envelope(kind string, value any) ([]byte, error) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, fmt.Errorf("print %s: %w", kind, err)
	}
	fields := bytes.TrimSpace(body.Bytes())
	if fields[0] != '{' {
		return nil, fmt.Errorf("print %s: %T is no object in JSON", kind, value)
	}
	line := append([]byte(`{"kind":`+strconv.Quote(kind)+`,"version":`+strconv.Itoa(Version)), ',')
	if len(fields) == len("{}") {
		line = line[:len(line)-1]
	}
	line = append(line, fields[1:]...)
	var out bytes.Buffer
	if err := json.Indent(&out, line, "", "  "); err != nil {
		return nil, fmt.Errorf("print %s: %w", kind, err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// toYAML keeps the order of the keys: JSON is YAML, so its nodes are read as they
// stand and only their style is changed.
func toYAML(object []byte) ([]byte, error) {
	var node yaml.Node
	if err := yaml.Unmarshal(object, &node); err != nil {
		return nil, err
	}
	blockStyle(&node)
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&node); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func blockStyle(n *yaml.Node) {
	switch {
	case len(n.Content) > 0:
		n.Style = 0
	case n.Kind == yaml.ScalarNode && !oldBool(n.Value):
		n.Style = 0 // the encoder quotes what it must
	}
	for _, child := range n.Content {
		blockStyle(child)
	}
}

// oldBool holds the words that YAML 1.1 readers, which are many, take for booleans
// where they are not quoted.
func oldBool(s string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(s))
}
