package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/schema"
)

// publishSource is where the events are. Its reads end with ctx.
func (a *app) publishSource(ctx context.Context, cmd *cobra.Command, f publishFlags, m *input.Maker) (input.Source, error) {
	switch {
	case cmd.Flags().Changed("data"):
		template, err := input.ParseTemplate(f.data)
		if err != nil {
			return nil, usagef("--data: %w", err)
		}
		return input.Generate(template, f.count, input.Format(f.input), m), nil
	case f.sample != "":
		return sampleSource(f, m)
	case len(f.files) == 0:
		f.files = []string{"-"}
	}
	var open []func() (input.Source, io.Closer, error)
	for _, name := range f.files {
		if file, ok := a.stdin.(*os.File); name == "-" && ok && term.IsTerminal(int(file.Fd())) {
			return nil, usagef("no event: give one with --data or --sample, a file with -f, or pipe events in, one a line")
		}
		if info, err := os.Stat(name); name != "-" && (err != nil || info.IsDir()) {
			return nil, usagef("-f %s: there is no such file", name)
		}
		open = append(open, func() (input.Source, io.Closer, error) { return a.openInput(ctx, name, f, m) })
	}
	return input.Join(open...), nil
}

// openInput opens a file, or standard input for -.
func (a *app) openInput(ctx context.Context, name string, f publishFlags, m *input.Maker) (input.Source, io.Closer, error) {
	closer := io.NopCloser(nil)
	in, shown := a.stdin, ""
	if name != "-" {
		file, err := os.Open(name)
		if err != nil {
			return nil, nil, err
		}
		in, shown, closer = file, name, file
	}
	in = input.Until(ctx, in)
	format := input.Format(f.input)
	if format == input.Auto && strings.EqualFold(filepath.Ext(name), ".csv") {
		format = input.CSV
	}
	if format != input.CSV {
		return input.NewLines(in, shown, format, m), closer, nil
	}
	source, err := input.NewCSV(in, shown, f.keyColumn, m)
	return source, closer, err
}

// sampleSource makes sample events: those of the schemas, with an id, times and a task
// of their own.
func sampleSource(f publishFlags, m *input.Maker) (input.Source, error) {
	set, err := schema.Load()
	if err != nil {
		return nil, err
	}
	kind, _ := set.Type(f.sample)
	if m.Topic == "" {
		m.Topic = kind.Topic
	}
	text := strings.NewReplacer(
		`"id":"0198c2a0-0000-7000-8000-000000000001"`, `"id":"{{uuid}}"`,
		`"2026-02-17T12:00:00.123456Z"`, `"{{now}}"`,
		`"tasks/123"`, `"tasks/{{seq}}"`, `"partitionkey":"123"`, `"partitionkey":"{{seq}}"`, `"task_id":123`, `"task_id":{{seq}}`,
	).Replace(string(set.Example(f.sample)))
	template, err := input.ParseTemplate(text)
	if err != nil {
		return nil, err
	}
	return input.Generate(template, f.count, input.Lines, m), nil
}
