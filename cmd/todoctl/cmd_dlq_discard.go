package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/ui"
)

// discardFlags are what discard is told.
type discardFlags struct {
	letterFlags
	because          string
	all, dryRun, yes bool
}

func (a *app) dlqDiscardCommand() *cobra.Command {
	var f discardFlags
	cmd := &cobra.Command{
		Use: "discard [TOPIC...] --because TEXT", Short: "Settle dead letters without sending them anywhere",
		Long: `Settle dead letters without sending them anywhere: those of the backlog that are
selected, or --all of it. The records stay in their topic until its retention ends them,
and 'todoctl dlq show' still shows them; the backlog has them no more.

Each is written as a line of JSON to dlq-audit.jsonl in the data folder first, with who
(the environment's USER) and why: --because.`,
		Example: `  todoctl dlq discard task-events-dlq --reason "not a CloudEvent" --because "a test wrote them" --dry-run
  todoctl dlq discard --id task-events-dlq[1]@42 --because "the task is gone"`,
		ValidArgsFunction: a.completeDLQ,
		RunE: func(cmd *cobra.Command, topics []string) error {
			if strings.TrimSpace(f.because) == "" {
				return usagef(`say why they are discarded: --because "a test wrote them"`)
			}
			if err := f.need(f.all); err != nil {
				return err
			}
			return a.onDLQ(cmd, topics, func(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string) error {
				return a.runDLQDiscard(ctx, client, cfg, topics, f)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	f.add(a, cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "all of the backlog")
	flags.StringVar(&f.because, "because", "", "why, for the audit log")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would be discarded")
	flags.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	return cmd
}

// dlqDiscard is the result of discard.
type dlqDiscard struct {
	DryRun    bool          `json:"dry_run"`
	Done      bool          `json:"done"`
	Selected  int           `json:"selected"`
	Letters   []dlq.PlanRow `json:"letters"`
	Discarded int           `json:"discarded"`
	Because   string        `json:"because"`
	AuditLog  string        `json:"audit_log"`
}

func (a *app) runDLQDiscard(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string, f discardFlags) error {
	wanted, where, err := f.selection()
	if err != nil {
		return err
	}
	options, err := kafkaOptions(cfg)
	if err != nil {
		return err
	}
	job, err := dlq.NewJob(ctx, client, options, dlq.JobOptions{
		Topics: topics, Select: wanted, DryRun: f.dryRun, Waiting: a.waiting,
	})
	if err != nil {
		return err
	}
	defer job.Close()
	tellFailures(a.stderr, where)
	plan := job.Plan()
	result := dlqDiscard{
		DryRun: f.dryRun, Selected: plan.Selected, Letters: plan.Rows, Because: f.because,
		AuditLog: filepath.Join(cfg.Get("data-dir"), "dlq-audit.jsonl"),
	}
	if f.dryRun || plan.Selected == 0 {
		result.Done = !f.dryRun
		return a.printDiscard(result)
	}
	if err := a.confirmPlan(ctx, "discard", plan, f.yes); err != nil {
		return err
	}
	user := cmp.Or(a.env("USER"), a.env("USERNAME"))
	result.Discarded, err = job.Discard(ctx, result.AuditLog, user, f.because)
	result.Done = err == nil
	return errors.Join(err, a.printDiscard(result))
}

func (a *app) printDiscard(r dlqDiscard) error {
	return a.printer().Print("dlq.discard", r, func(w io.Writer) {
		for _, line := range letterLines(dlq.Plan{Rows: r.Letters}) {
			fmt.Fprintln(w, ui.Clean(line))
		}
		switch {
		case r.Selected == 0:
			fmt.Fprintln(w, "nothing to discard")
		case r.DryRun:
			fmt.Fprintf(w, "would discard %s\n", letters(r.Selected))
		default:
			fmt.Fprintf(w, "discarded %d of %s, as %s tells\n", r.Discarded, letters(r.Selected), ui.Clean(r.AuditLog))
		}
	})
}
