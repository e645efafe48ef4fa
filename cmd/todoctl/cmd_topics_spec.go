package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/topics"
)

func (a *app) topicsSpecCommand() *cobra.Command {
	var file string
	var schema bool
	cmd := &cobra.Command{
		Use: "spec", Short: "Print the topics as wanted, in the format that -f takes",
		Long: `Print the topics as wanted: the stack's own five, or those of a file, as YAML that
-f takes back (--json and --output yaml, too). With --schema it prints the JSON Schema
of such a file, for editors.

Settings ending in .ms take milliseconds or a duration (7d, 90 minutes, forever), those
in .bytes take bytes or a size (512MiB, 1 GB, unlimited).`,
		Example: `  todoctl topics spec > topics.yaml
  todoctl topics plan -f topics.yaml
  todoctl topics spec --schema > topics.schema.json`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			if schema {
				_, err := a.stdout.Write(topics.Schema)
				return err
			}
			return a.runTopicsSpec(file)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "print the topics of this file, - for stdin (default the stack's own five)")
	cmd.Flags().BoolVar(&schema, "schema", false, "print the JSON Schema of the file instead")
	return cmd
}

func (a *app) runTopicsSpec(file string) error {
	specs, err := a.specs(file)
	if err != nil {
		return err
	}
	page, err := topics.Format(specs)
	if err != nil {
		return err
	}
	result := struct {
		Topics []topics.Spec `json:"topics"`
	}{specs}
	return a.printer().Print(topics.SpecKind, result, func(w io.Writer) { _, _ = w.Write(page) })
}
