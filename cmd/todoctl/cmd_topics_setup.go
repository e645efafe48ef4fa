package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
	"github.com/todoctl/todoctl/internal/ui"
)

// setupFlags are what setup is told.
type setupFlags struct {
	wanted wantedTopics
	plan   string
	reset  bool
	dryRun bool
}

func (a *app) topicsSetupCommand() *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use: "setup", Short: "Create the topics, or bring them to what they should be",
		Long: `Create the topics, or bring them to what they should be: the stack's own five, those
of a file, or what a plan says. It adds partitions and changes settings; it never
deletes or shrinks a topic. What it can't change, it names. When something fails,
everything else is done; run again, it does what is left.

With --plan it does exactly what the plan says, or nothing when the cluster is another
one or has changed since in what the plan touches.`,
		Example: `  todoctl topics setup
  todoctl topics setup --dry-run --brokers kafka-1:9092,kafka-2:9092
  todoctl topics setup -f topics.yaml --expect-cluster-id prod-1
  todoctl topics setup --plan plan.json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.topicsSetup(cmd, f) },
	}
	f.wanted.flags(cmd)
	cmd.Flags().StringVar(&f.plan, "plan", "", "do what this file of 'topics plan --out' says, - for stdin")
	cmd.Flags().BoolVar(&f.reset, "reset-unknown", false, resetHelp)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would be done")
	return exits(cmd, "0 all is as it should be · 1 failed, or something differs that setup doesn't change · 2 wrong usage · 130 interrupted")
}

func (a *app) topicsSetup(cmd *cobra.Command, f setupFlags) error {
	if f.plan != "" {
		if f.wanted.file != "" || f.reset {
			return usagef("--plan says already what to do: it goes with neither --file nor --reset-unknown")
		}
		return a.setupFromPlan(cmd, f)
	}
	specs, err := a.specs(f.wanted.file)
	if err != nil {
		return err
	}
	return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
		plan, err := planned(ctx, client, specs, f.wanted.cluster)
		if err != nil {
			return err
		}
		if f.reset {
			plan = plan.Reset()
		}
		return a.applyPlan(ctx, client, plan, unchanged(specs, plan), f.dryRun)
	})
}

func (a *app) setupFromPlan(cmd *cobra.Command, f setupFlags) error {
	data, err := a.readFile(f.plan)
	if err != nil {
		return usageError{err}
	}
	plan, err := topics.ParsePlan(a.fileName(f.plan), data)
	if err != nil {
		return usageError{err}
	}
	return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
		state, err := topics.Read(ctx, client, plan.Topics())
		if err != nil {
			return err
		}
		if err := errors.Join(state.Expect(f.wanted.cluster), plan.Current(state)); err != nil {
			return err
		}
		return a.applyPlan(ctx, client, plan, 0, f.dryRun)
	})
}

// topicsSetup is the result of a setup.
type topicsSetup struct {
	Cluster   string           `json:"cluster_id"`
	DryRun    bool             `json:"dry_run"`
	Steps     []topics.Result  `json:"steps"`
	Refusals  []topics.Refusal `json:"refusals"`
	Stray     []topics.Stray   `json:"stray"`
	Notes     []topics.Note    `json:"notes"`
	Unchanged int              `json:"unchanged"` // topics
}

func (a *app) applyPlan(ctx context.Context, client *kgo.Client, plan topics.Plan, unchanged int, dryRun bool) error {
	var steps []topics.Result
	var err error
	if dryRun {
		if plan, err = topics.Check(ctx, client, plan); err != nil {
			return err
		}
		steps = []topics.Result{}
		for _, step := range plan.Steps {
			steps = append(steps, topics.Result{Step: step})
		}
	} else {
		steps, err = topics.Apply(ctx, client, plan)
	}
	result := topicsSetup{
		Cluster: plan.Cluster, DryRun: dryRun, Steps: steps, Unchanged: unchanged,
		Refusals: plan.Refusals, Stray: plan.Stray, Notes: plan.Notes,
	}
	if printErr := a.printer().Print("topics.setup", result, result.text); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err == nil && len(plan.Refusals) > 0 {
		err = remain(plan.Refusals)
	}
	return err
}

func (r topicsSetup) text(w io.Writer) {
	verb := ""
	if r.DryRun {
		verb = "would "
	}
	for _, step := range r.Steps {
		line := verb + step.String()
		if step.Err != nil {
			line = "FAILED " + step.String() + ": " + step.Reason
		}
		fmt.Fprintln(w, ui.Clean(line))
	}
	for _, refusal := range r.Refusals {
		fmt.Fprintln(w, ui.Clean(fmt.Sprintf("not changed: %s %s is %s, wanted %s: %s",
			refusal.Topic, refusal.Field, cmp.Or(refusal.Have, "(none)"), refusal.Want, refusal.Reason)))
	}
	for _, s := range r.Stray {
		fmt.Fprintln(w, ui.Clean("left as it is: "+s.String()))
	}
	printNotes(w, r.Notes)
	switch {
	case len(r.Steps) > 0 || len(r.Refusals) > 0:
		if r.Unchanged > 0 {
			fmt.Fprintln(w, alreadyWanted(r.Unchanged))
		}
	case r.Unchanged == 0:
		fmt.Fprintln(w, "nothing to do")
	default:
		fmt.Fprintln(w, "nothing to do: "+asWanted(r.Unchanged))
	}
}
