package server

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"
)

//go:embed docs.html
var docsTemplate string

// document is the part of OpenAPI 3.1 that openapi.json uses and /docs shows.
type document struct {
	Info       struct{ Title, Version, Summary, Description string }
	Paths      map[string]pathItem
	Components struct {
		Parameters    map[string]parameter
		RequestBodies map[string]content
		Responses     map[string]content
		Headers       map[string]parameter
		Schemas       map[string]schema
	}
}

type pathItem struct {
	Parameters                    []parameter
	Get, Post, Put, Patch, Delete *operation
}

type operation struct {
	OperationID, Summary, Description string
	Parameters                        []parameter
	RequestBody                       *content
	Responses                         map[string]content
}

type parameter struct {
	Ref                   string `json:"$ref"`
	Name, In, Description string
	Required              bool
	Schema                schema
}

// content is a body, of a request or of a response.
type content struct {
	Ref         string `json:"$ref"`
	Description string
	Headers     map[string]parameter
	Content     map[string]media
}

type media struct {
	Schema   schema
	Example  json.RawMessage
	Examples map[string]struct {
		Summary string
		Value   json.RawMessage
	}
}

type schema struct {
	Ref         string `json:"$ref"`
	Type        any    // a name or a list of names
	Format      string
	Description string
	Required    []string
	Properties  map[string]schema
	Enum        []any
	Default     any
	Items       *schema
}

// A method is an operation under its name, with the parameters of its path.
type method struct {
	Name       string
	Parameters []parameter
	*operation
}

// Methods lists the operations of a path, always in the same order.
func (p pathItem) Methods() []method {
	var given []method
	for _, m := range []method{
		{"GET", nil, p.Get}, {"POST", nil, p.Post}, {"PUT", nil, p.Put}, {"PATCH", nil, p.Patch}, {"DELETE", nil, p.Delete},
	} {
		if m.operation != nil {
			m.Parameters = slices.Concat(p.Parameters, m.operation.Parameters)
			given = append(given, m)
		}
	}
	return given
}

// Needs reports whether an object must have a property.
func (s schema) Needs(property string) bool { return slices.Contains(s.Required, property) }

// Kind says in words what values a schema takes.
func (s schema) Kind() string {
	if s.Ref != "" {
		return path.Base(s.Ref)
	}
	if s.Enum != nil {
		return "one of " + strings.Join(enumerate(s.Enum), ", ")
	}
	kind := fmt.Sprint(s.Type)
	if list, ok := s.Type.([]any); ok {
		kind = strings.Join(enumerate(list), " or ")
	}
	if s.Items != nil {
		kind = strings.Replace(kind, "array", "array of "+s.Items.Kind(), 1)
	}
	if s.Format != "" {
		kind += " (" + s.Format + ")"
	}
	return kind
}

func enumerate(values []any) []string {
	words := make([]string, len(values))
	for i, v := range values {
		switch v {
		case nil:
			words[i] = "null"
		case "":
			words[i] = `""`
		default:
			words[i] = fmt.Sprint(v)
		}
	}
	return words
}

// renderDocs makes the page of /docs.
func renderDocs() ([]byte, error) {
	var doc document
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return nil, fmt.Errorf("read openapi.json: %w", err)
	}
	page, err := template.New("docs").Funcs(template.FuncMap{
		"parameter": func(p parameter) parameter { return resolve(p, p.Ref, doc.Components.Parameters) },
		"body":      func(b *content) content { return resolve(*b, b.Ref, doc.Components.RequestBodies) },
		"response":  func(c content) content { return resolve(c, c.Ref, doc.Components.Responses) },
		"indented":  indented,
	}).Parse(docsTemplate)
	if err != nil {
		return nil, fmt.Errorf("parse docs.html: %w", err)
	}
	var out bytes.Buffer
	if err := page.Execute(&out, doc); err != nil {
		return nil, fmt.Errorf("render docs.html: %w", err)
	}
	return out.Bytes(), nil
}

// resolve follows a reference to a component.
func resolve[T any](itself T, ref string, components map[string]T) T {
	if ref == "" {
		return itself
	}
	return components[path.Base(ref)]
}

// indented shows an example; one that is a string, such as a text, as it is.
func indented(raw json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		return "", fmt.Errorf("indent example: %w", err)
	}
	return out.String(), nil
}
