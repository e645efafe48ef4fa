package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/topics"
	"github.com/todoctl/todoctl/internal/ui"
)

// upFlags are what up is told.
type upFlags struct {
	composeFlags
	timeout  time.Duration
	noTopics bool
}

func (a *app) upCommand() *cobra.Command {
	var f upFlags
	cmd := &cobra.Command{
		Use: "up", Short: "Start the stack's containers, wait until they are healthy, set up the topics",
		Long: `Start the stack's containers with Docker's compose, wait until all are healthy, and set
up the topics as 'todoctl topics setup' does. The file is docker-compose.yml of this
folder; without one, a built-in one is written into the data folder: Redpanda, its
Console, PostgreSQL, Redis, each on loopback.

It tells which service it waits for, and the last lines of one that fails. Run again, it
does what is left. Without Docker there is 'todoctl dev'.`,
		Example: `  todoctl up
  todoctl serve --database postgres://todo:todo@127.0.0.1:5432/todo
  todoctl up --dry-run                           # the commands only
  todoctl up -f compose.ci.yaml --timeout 10m --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.up(cmd, f) },
	}
	brokerFlags(cmd, "data-dir")
	f.add(cmd)
	cmd.Flags().DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long it may take, with the download of images")
	cmd.Flags().BoolVar(&f.noTopics, "no-topics", false, "leave the topics alone")
	return cmd
}

// upResult is the result of up.
type upResult struct {
	File     string         `json:"file"`
	DryRun   bool           `json:"dry_run"`
	Commands []string       `json:"commands"`
	Services []composeState `json:"services"`
	Brokers  []string       `json:"brokers"`
	Topics   *topicsSetup   `json:"topics"` // null with --no-topics and --dry-run
}

// A composeState is a service as it is shown.
type composeState struct {
	Service string `json:"service"`
	State   string `json:"state"`  // running, exited, …
	Health  string `json:"health"` // "" without a health check
	Exit    int    `json:"exit_code"`
	words   string
}

func (a *app) up(cmd *cobra.Command, f upFlags) error {
	if f.timeout <= 0 {
		return usagef("--timeout %s: must be more than 0", f.timeout)
	}
	cfg, err := a.loadOwn(cmd) // not the addresses of a todoctl dev that runs here
	if err != nil {
		return err
	}
	file, err := f.composeFile(cfg, !f.dryRun)
	if err != nil {
		return err
	}
	result := upResult{
		File: file, DryRun: f.dryRun, Services: []composeState{}, Brokers: cfg.List("brokers"),
		Commands: []string{commandLine(stack.Compose{File: file}.UpArgs())},
	}
	if !f.noTopics {
		result.Commands = append(result.Commands, "todoctl topics setup --brokers "+cfg.Get("brokers"))
	}
	if !f.dryRun {
		if err := a.bringUp(cmd.Context(), cfg, f, &result); err != nil {
			return err
		}
	}
	return a.printer().Print("up", result, func(w io.Writer) { a.upText(w, result) })
}

// bringUp starts the containers and sets up the topics.
func (a *app) bringUp(ctx context.Context, cfg *config.Config, f upFlags, result *upResult) error {
	c, err := openCompose(ctx, result.File)
	if err != nil {
		return err
	}
	list, err := a.waitUp(ctx, c, f.timeout)
	if err != nil {
		return err
	}
	for _, c := range list {
		result.Services = append(result.Services, composeState{c.Service, c.State, c.Health, c.Exit, c.Condition()})
	}
	if f.noTopics {
		return nil
	}
	result.Topics, err = builtinTopics(ctx, cfg)
	if err != nil {
		return fmt.Errorf("the containers run; set up the topics (brokers from %s; --no-topics leaves them out): %w", cfg.Source("brokers"), err)
	}
	if len(result.Topics.Refusals) > 0 {
		return fmt.Errorf("the containers run; topics: %w: todoctl topics plan shows them", remain(result.Topics.Refusals))
	}
	return nil
}

// waitUp tells of each change of a service, and shows on a terminal what it waits for.
func (a *app) waitUp(ctx context.Context, c stack.Compose, timeout time.Duration) ([]stack.Container, error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w := newUpWatch()
	progress := a.startProgress(w.status)
	defer progress.stop()
	list, err := c.Up(bounded, func(list []stack.Container, said string) {
		for _, change := range w.changes(list, said) {
			progress.say(change)
		}
	})
	var fault *stack.ServiceError
	switch {
	case ctx.Err() != nil:
		progress.stop()
		fmt.Fprintln(a.stderr, "what was started goes on; 'todoctl down' stops it")
		return nil, ctx.Err()
	case errors.As(err, &fault):
		for _, line := range fault.Logs {
			progress.say(fault.Service + " | " + ui.Clean(line))
		}
		return nil, fmt.Errorf("%w; its last lines are above", err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("docker compose up took longer than %s (--timeout); it said last: %s", timeout, w.said())
	}
	return list, err
}

// builtinTopics does what 'topics setup' does.
func builtinTopics(ctx context.Context, cfg *config.Config) (*topicsSetup, error) {
	client, err := clusterOf(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	specs := topics.Builtin()
	plan, err := planned(ctx, client, specs, "")
	if err != nil {
		return nil, err
	}
	steps, err := topics.Apply(ctx, client, plan)
	return &topicsSetup{
		Cluster: plan.Cluster, Steps: steps, Refusals: plan.Refusals, Stray: plan.Stray, Notes: plan.Notes,
		Unchanged: unchanged(specs, plan),
	}, err
}

func (a *app) upText(w io.Writer, r upResult) {
	if r.DryRun {
		for _, line := range r.Commands {
			fmt.Fprintln(w, line)
		}
		return
	}
	var rows [][]string
	for _, s := range r.Services {
		rows = append(rows, []string{s.Service, s.words})
	}
	slices.SortFunc(rows, slices.Compare)
	a.printer().Table(w, []string{"SERVICE", "STATE"}, rows)
	if r.Topics != nil {
		r.Topics.text(w)
	}
}
