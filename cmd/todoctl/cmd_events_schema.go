package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/schema"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) eventsSchemaCommand() *cobra.Command {
	cmd := group("schema", "The JSON Schemas of the events, and a check against them", `
  todoctl events schema list
  todoctl events schema show task.created
  todoctl events tail task-events -o start -e --json | todoctl events schema check
  todoctl events schema asyncapi > asyncapi.yaml`)
	cmd.AddCommand(a.schemaListCommand(), a.schemaShowCommand(), a.schemaCheckCommand(), a.schemaAsyncAPICommand())
	return cmd
}

func (a *app) schemaListCommand() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the types of events that have a schema",
		Example: `  todoctl events schema list
  todoctl events schema list --json`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return a.runSchemaList() },
	}
}

// schemaType is a type of event in a list.
type schemaType struct {
	Type        string `json:"type"`
	Topic       string `json:"topic"`
	Key         string `json:"key"`
	Description string `json:"description"`
}

func (a *app) runSchemaList() error {
	set, err := schema.Load()
	if err != nil {
		return err
	}
	var types []schemaType
	var rows [][]string
	for _, t := range set.Types() {
		types = append(types, schemaType{t.Name, t.Topic, t.Key, t.Description})
		rows = append(rows, []string{t.Name, t.Topic, t.Description})
	}
	p := a.printer()
	return p.Print("schema.list", map[string]any{"types": types}, func(w io.Writer) {
		p.Table(w, []string{"TYPE", "TOPIC", "DESCRIPTION"}, rows)
	})
}

func (a *app) schemaShowCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show TYPE", Short: "Print the JSON Schema of a type of event",
		Long: `Print the JSON Schema (draft 2020-12) of a type of event, with all that it refers to.
It is JSON whatever --output says.`,
		Example: `  todoctl events schema show task.created
  todoctl events schema show reminder.due > reminder.due.schema.json`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions(schema.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE:              func(_ *cobra.Command, words []string) error { return a.runSchemaShow(words[0]) },
	}
}

func (a *app) runSchemaShow(kind string) error {
	set, err := schema.Load()
	if err != nil {
		return err
	}
	text, err := set.JSON(kind)
	if err != nil {
		return err
	}
	if text == nil {
		return usagef("no type of event %q: must be one of %s", kind, strings.Join(schema.Names(), ", "))
	}
	_, err = a.stdout.Write(text)
	return err
}

func (a *app) schemaAsyncAPICommand() *cobra.Command {
	return &cobra.Command{
		Use: "asyncapi", Short: "Describe topics, keys and events as an AsyncAPI 3.0 document",
		Long: `Describe topics, keys and events as an AsyncAPI 3.0 document: YAML, or with
--output json JSON.`,
		Example: `  todoctl events schema asyncapi > asyncapi.yaml`,
		Args:    args(cobra.NoArgs),
		RunE:    func(*cobra.Command, []string) error { return a.runSchemaAsyncAPI() },
	}
}

func (a *app) runSchemaAsyncAPI() error {
	set, err := schema.Load()
	if err != nil {
		return err
	}
	text, err := set.AsyncAPI()
	if err != nil {
		return err
	}
	if a.format() == ui.JSON {
		var doc any
		if err := yaml.Unmarshal(text, &doc); err != nil {
			return err
		}
		if text, err = json.MarshalIndent(doc, "", "  "); err != nil {
			return err
		}
		text = append(text, '\n')
	}
	_, err = a.stdout.Write(text)
	return err
}

func (a *app) schemaCheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "check [FILE]", Short: "Check events against their schemas, one a line",
		Long: `Check the events in a file, or on standard input, one a line: CloudEvents, or lines of
'events tail --json'. Every violation is named by its line and its path in the event.
An event of a type that has no schema is counted and passes.`,
		Example: `  todoctl events schema check events.jsonl
  todoctl events tail task-events -o start -e --json | todoctl events schema check`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, words []string) error {
			in, name := a.stdin, ""
			if len(words) == 1 && words[0] != "-" {
				file, err := os.Open(words[0])
				if err != nil {
					return usageError{err}
				}
				defer file.Close()
				in, name = file, words[0]
			}
			lines := input.NewLines(input.Until(cmd.Context(), in), name, input.Raw, &input.Maker{Topic: "-"})
			return a.runSchemaCheck(lines)
		},
	}
	return exits(cmd, "0 all are as their schemas say · 1 failed · 2 wrong usage · 3 some are not · 130 interrupted")
}

// schemaCheck is the result of a check.
type schemaCheck struct {
	Events     int         `json:"events"`
	Unknown    int         `json:"unknown"` // of types without a schema
	Wrong      int         `json:"wrong"`
	Violations []violation `json:"violations"`
}

type violation struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line"`
	Type    string `json:"type"`
	Path    string `json:"path"`
	Message string `json:"message"`
}

func (a *app) runSchemaCheck(lines input.Source) error {
	set, err := schema.Load()
	if err != nil {
		return err
	}
	result := schemaCheck{Violations: []violation{}}
	for {
		entry, err := lines.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		var wrong *input.PlaceError
		switch {
		case errors.As(err, &wrong):
			result.add(wrong.Place, "", []schema.Violation{{Message: wrong.Err.Error()}})
		case err != nil:
			return err
		default:
			result.check(set, entry)
		}
	}
	err = a.printer().Print("schema.check", result, result.write)
	if err == nil && result.Wrong > 0 {
		err = noError{fmt.Errorf("%d of %s not as their schemas say", result.Wrong, events(result.Events))}
	}
	return err
}

func (c *schemaCheck) check(set *schema.Set, entry *input.Entry) {
	line := entry.Record.Value
	if strings.TrimSpace(string(line)) == "" {
		return
	}
	event, kind, err := input.CloudEvent(line)
	if err != nil {
		c.add(entry.Place, "", []schema.Violation{{Message: err.Error()}})
		return
	}
	if _, known := set.Type(kind); !known {
		c.Unknown++
	}
	c.add(entry.Place, kind, set.Check(kind, event))
}

func (c *schemaCheck) add(place input.Place, kind string, found []schema.Violation) {
	c.Events++
	if len(found) > 0 {
		c.Wrong++
	}
	for _, v := range found {
		c.Violations = append(c.Violations, violation{place.File, place.Line, kind, v.Path, v.Message})
	}
}

func (c schemaCheck) write(w io.Writer) {
	for _, v := range c.Violations {
		place := input.Place{File: v.File, Line: v.Line}
		fmt.Fprintf(w, "%s: %s\n", place, ui.Clean(strings.TrimSpace(v.Type+" "+v.Path+" "+v.Message)))
	}
	if c.Wrong == 0 {
		fmt.Fprintf(w, "%s as their schemas say", events(c.Events))
	} else {
		fmt.Fprintf(w, "%d of %s not as their schemas say", c.Wrong, events(c.Events))
	}
	if c.Unknown > 0 {
		fmt.Fprintf(w, "; %d of types without a schema", c.Unknown)
	}
	fmt.Fprintln(w)
}
