package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/ui"
)

// redriveFlags are what redrive is told.
type redriveFlags struct {
	letterFlags
	all         bool
	maxRedrives int
	rate        float64

	canaryGroup   string
	canaryTimeout time.Duration
	noCanary      bool

	edit, noValidate bool
	dryRun, yes      bool
}

func (a *app) dlqRedriveCommand() *cobra.Command {
	var f redriveFlags
	cmd := &cobra.Command{
		Use: "redrive [TOPIC...]", Short: "Send dead letters back to where they came from",
		Long: `Send dead letters back to the topics that they came from: those of the backlog that are
selected, or --all of it. An event keeps its id, its key and, where it is known, its
partition; what made it a dead letter is taken off, and the count of redrives goes up.
One that was redriven --max-redrives times already is refused, so that nothing goes
round for ever.

A canary goes first: one letter of each topic. When its consumer group has passed it, and
it has not come back, the rest goes. The group is the one that the letter names, or the
only one that reads the topic, or --canary-group.

Letters that are not selected stay in the backlog. After Ctrl-C or a crash the same
command goes on with what is left; what was sent in the last second before a crash may
come twice, with the same ids. Only one redrive or discard runs at a time.

With --edit the payload of a single letter is opened in $VISUAL or $EDITOR first.`,
		Example: `  todoctl dlq redrive task-events-dlq --reason timeout --dry-run
  todoctl dlq redrive task-events-dlq --reason timeout --rate 50
  todoctl dlq redrive --all --since 2h --yes
  todoctl dlq redrive --id task-events-dlq[1]@42 --edit`,
		ValidArgsFunction: a.completeDLQ,
		RunE: func(cmd *cobra.Command, topics []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.onDLQ(cmd, topics, func(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string) error {
				return a.runDLQRedrive(ctx, client, cfg, topics, f)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	f.add(a, cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "all of the backlog")
	flags.IntVar(&f.maxRedrives, "max-redrives", 3, "refuse events that were redriven this many times before")
	flags.Float64Var(&f.rate, "rate", 0, "events a second; 0 is no limit")
	flags.StringVar(&f.canaryGroup, "canary-group", "", "the consumer group that the canary must pass")
	flags.DurationVar(&f.canaryTimeout, "canary-timeout", time.Minute, "how long it may take for that")
	flags.BoolVar(&f.noCanary, "no-canary", false, "send all at once")
	flags.BoolVar(&f.edit, "edit", false, "change the payload of a single letter first")
	flags.BoolVar(&f.noValidate, "no-validate", false, "don't check what was edited against the event's schema")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would be sent")
	flags.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	completeFlag(cmd, "canary-group", a.completeGroups)
	return exits(cmd, "0 done · 1 failed · 2 wrong usage · 3 some were refused, or the canary didn't pass · 130 interrupted")
}

func (f redriveFlags) check() error {
	switch {
	case f.rate < 0:
		return usagef("--rate %v: must be a number of events a second, or 0 for no limit", f.rate)
	case f.maxRedrives < 1:
		return usagef("--max-redrives %d: must be at least 1", f.maxRedrives)
	case f.canaryTimeout <= 0:
		return usagef("--canary-timeout %s: must be more than 0", f.canaryTimeout)
	case f.noCanary && f.canaryGroup != "":
		return usagef("--no-canary and --canary-group: give one")
	case f.edit && f.dryRun:
		return usagef("--edit and --dry-run: give one")
	}
	return f.need(f.all)
}

// dlqRedrive is the result of redrive.
type dlqRedrive struct {
	DryRun bool `json:"dry_run"`
	Done   bool `json:"done"` // all that was selected is back, but for what was refused
	dlq.Plan
	dlq.Outcome
}

func (a *app) runDLQRedrive(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string, f redriveFlags) error {
	wanted, where, err := f.selection()
	if err != nil {
		return err
	}
	options, err := kafkaOptions(cfg)
	if err != nil {
		return err
	}
	job, err := dlq.NewJob(ctx, client, options, dlq.JobOptions{
		Topics: topics, Select: wanted, Redrive: true, MaxRedrives: f.maxRedrives, DryRun: f.dryRun, Waiting: a.waiting,
	})
	if err != nil {
		return err
	}
	defer job.Close()
	tellFailures(a.stderr, where)
	result := dlqRedrive{DryRun: f.dryRun, Plan: job.Plan(), Outcome: dlq.Outcome{Failures: []string{}, Canaries: []dlq.Sent{}}}
	if f.dryRun || result.Selected == 0 {
		result.Done = !f.dryRun
		return errors.Join(a.printRedrive(result), result.refusal())
	}
	opts, err := a.redriveOptions(ctx, client, job, f)
	if err != nil {
		return err
	}
	if err := a.confirmPlan(ctx, "redrive", result.Plan, f.yes); err != nil {
		return err
	}
	sent := a.countLetters("redriven", result.Selected)
	opts.Settled = sent.add
	result.Outcome, err = job.Redrive(ctx, opts)
	sent.stop()
	result.Done = err == nil && result.Failed == 0
	err = errors.Join(redriveError(err), result.failure())
	if err == nil {
		err = result.refusal()
	}
	return errors.Join(err, a.printRedrive(result))
}

// redriveOptions work out how the letters go.
func (a *app) redriveOptions(ctx context.Context, client *kgo.Client, job *dlq.Job, f redriveFlags) (dlq.RedriveOptions, error) {
	var o dlq.RedriveOptions
	if f.rate > 0 {
		due := pace{every: time.Duration(float64(time.Second) / f.rate)}
		o.Wait = due.wait
	}
	if f.edit {
		if n := job.Plan().Selected; n != 1 {
			return o, usagef("--edit is for a single dead letter, and %d are selected; name one with --id", n)
		}
		if _, err := a.terminal("redrive " + letters(1)); err != nil && !f.yes { // rather than after the work
			return o, err
		}
		var err error
		o.Value, err = a.editLetter(ctx, job, f)
		return o, err
	}
	if f.noCanary || job.Plan().Selected == 1 {
		return o, nil
	}
	o.Canary = &dlq.Canary{Group: f.canaryGroup, Timeout: f.canaryTimeout}
	if f.canaryGroup != "" {
		return o, nil
	}
	var err error
	o.Canary.Fallback, err = canaryGroups(ctx, client, job)
	return o, err
}

// canaryGroups name the group that is to pass a canary, by topic, where the letter
// doesn't: the only one that reads the topic.
func canaryGroups(ctx context.Context, client *kgo.Client, job *dlq.Job) (map[string]string, error) {
	named, err := job.CanaryGroups(ctx)
	if err != nil {
		return nil, err
	}
	var all []groups.Summary
	for topic, name := range named {
		if name != "" {
			continue
		}
		if all == nil {
			if all, err = groups.List(ctx, client, nil); err != nil {
				return nil, err
			}
		}
		readers := readersOf(topic, all)
		if len(readers) != 1 {
			said := "none does"
			if len(readers) > 1 {
				said = "these do: " + strings.Join(readers, ", ")
			}
			return nil, usagef("which consumer group is the canary for? The dead letter doesn't say who gave it up, and of the groups that read topic %q %s; name one with --canary-group, or give --no-canary", topic, said)
		}
		named[topic] = readers[0]
	}
	return named, nil
}

func readersOf(topic string, all []groups.Summary) []string {
	var names []string
	for _, g := range all {
		for _, t := range g.Topics {
			if t == topic {
				names = append(names, g.Group)
			}
		}
	}
	return names
}

// confirmPlan shows what is about to be done, and asks.
func (a *app) confirmPlan(ctx context.Context, verb string, plan dlq.Plan, yes bool) error {
	if yes {
		return nil
	}
	for _, line := range letterLines(plan) {
		fmt.Fprintln(a.stderr, ui.Clean(line))
	}
	return a.confirm(ctx, verb+" "+letters(plan.Selected))
}

// redriveError makes the canary's answer a no.
func redriveError(err error) error {
	var canary *dlq.CanaryError
	if errors.As(err, &canary) {
		return noError{err}
	}
	return err
}

// failure tells of the letters that their topics refused.
func (r dlqRedrive) failure() error {
	if r.Failed == 0 {
		return nil
	}
	return fmt.Errorf("%s could not be redriven and stay in the backlog: %s", letters(r.Failed), strings.Join(r.Failures, "\n"))
}

func (r dlqRedrive) refusal() error {
	n := 0
	for _, refused := range r.Refused {
		n += refused.Count
	}
	if n == 0 {
		return nil
	}
	return noError{fmt.Errorf("%s refused", letters(n))}
}

func (a *app) printRedrive(r dlqRedrive) error {
	return a.printer().Print("dlq.redrive", r, func(w io.Writer) {
		for _, line := range letterLines(r.Plan) {
			fmt.Fprintln(w, ui.Clean(line))
		}
		for _, c := range r.Canaries {
			if c.Passed {
				fmt.Fprintf(w, "canary %s: passed by group %s\n", ui.Clean(c.Event), ui.Clean(c.Group))
			}
		}
		switch {
		case r.Selected == 0:
			fmt.Fprintln(w, "nothing to redrive")
		case r.DryRun:
			fmt.Fprintf(w, "would redrive %s\n", letters(r.Selected))
		default:
			fmt.Fprintf(w, "redrove %d of %s\n", r.Redriven, letters(r.Selected))
		}
	})
}
