package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/kafka"
)

func (a *app) dlqCommand() *cobra.Command {
	cmd := group("dlq", "See dead letters and why they died; send them back, or discard them", `
  todoctl dlq list
  todoctl dlq show task-events-dlq[1]@42
  todoctl dlq redrive task-events-dlq --reason timeout --dry-run
  todoctl dlq discard --id 0198c0f4-7a3e-7cc2-8a55-0d6f1b3f2a10 --because "made by a test"`)
	cmd.AddCommand(a.dlqListCommand(), a.dlqShowCommand(), a.dlqRedriveCommand(), a.dlqDiscardCommand())
	return cmd
}

// onDLQ runs a command on the named topics of dead letters, or on all there are.
func (a *app) onDLQ(cmd *cobra.Command, topics []string, do func(ctx context.Context, client *kgo.Client, cfg *config.Config, topics []string) error) error {
	for _, topic := range topics {
		if !strings.HasSuffix(topic, dlq.Suffix) {
			return usagef("topic %q is none of dead letters; did you mean %q?", topic, topic+dlq.Suffix)
		}
	}
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return err
	}
	return onClusterOf(cmd, cfg, func(ctx context.Context, client *kgo.Client) error {
		topics, err := lettersTopics(ctx, client, topics)
		if err != nil {
			return err
		}
		return do(ctx, client, cfg, distinct(topics))
	})
}

// lettersTopics are the named topics of dead letters, or all there are.
func lettersTopics(ctx context.Context, client *kgo.Client, named []string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	return dlq.Topics(ctx, client)
}

// letterFlags say which dead letters are meant.
type letterFlags struct {
	filter  filterFlags
	reasons []string
	ids     []string
}

func (f *letterFlags) add(a *app, cmd *cobra.Command) {
	f.filter.add(cmd)
	f.filter.addTimes(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.reasons, "reason", nil, "only letters with this reason, as list shows it; repeat it for several")
	flags.StringArrayVar(&f.ids, "id", nil, "only the event with this id, or the letter at TOPIC[PARTITION]@OFFSET; repeat it for several")
	flags.Lookup("since").Usage = "only letters from this time on: " + strings.TrimPrefix(flags.Lookup("since").Usage, "only events from this time on: ")
	flags.Lookup("until").Usage = "only letters before this time"
	completeFlag(cmd, "reason", a.completeReasons)
}

func (f *letterFlags) given() bool { return f.filter.given() || len(f.reasons)+len(f.ids) > 0 }

// need refuses a command that would change letters and neither says which nor all.
func (f *letterFlags) need(all bool) error {
	if all || f.given() {
		return nil
	}
	return usagef("say which dead letters: --reason, --type, --since, --id or another filter, or --all; 'todoctl dlq list' shows them")
}

// selection is what the flags say; for tellFailures also its condition.
func (f *letterFlags) selection() (dlq.Selection, *kafka.Where, error) {
	filter, err := f.filter.filter(time.Now())
	if err != nil {
		return dlq.Selection{}, nil, err
	}
	switch {
	case slices.Contains(f.reasons, ""):
		return dlq.Selection{}, nil, usagef("--reason is empty")
	case slices.Contains(f.ids, ""):
		return dlq.Selection{}, nil, usagef("--id is empty")
	}
	return dlq.Selection{Filter: filter.Matcher(), Reasons: f.reasons, IDs: f.ids}, filter.Where, nil
}

// completeDLQ offers the names of the topics of dead letters.
func (a *app) completeDLQ(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(cmd, dlq.Topics)
}

// completeReasons offers the reasons of the backlog, as far as they are read in a second.
func (a *app) completeReasons(cmd *cobra.Command, topics []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeNames(cmd, func(ctx context.Context, client *kgo.Client) ([]string, error) {
		topics, err := lettersTopics(ctx, client, topics)
		if err != nil {
			return nil, err
		}
		options, err := kafkaOptions(cfg)
		if err != nil {
			return nil, err
		}
		box, err := dlq.Open(ctx, client, options, topics)
		if err != nil {
			return nil, err
		}
		var reasons []string
		err = box.Read(ctx, false, func(l dlq.Letter, settled bool) error {
			if !settled && !slices.Contains(reasons, l.Reason) {
				reasons = append(reasons, l.Reason)
			}
			return nil
		})
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
		slices.Sort(reasons)
		return reasons, err
	})
}

// letters is so many dead letters in words.
func letters(n int) string { return howMany(n, "dead letter") }

// letterLines tell what of a plan is to be done, and what is refused.
func letterLines(p dlq.Plan) []string {
	var lines []string
	for _, r := range p.Rows {
		lines = append(lines, fmt.Sprintf("%s of %s from %s: %s", letters(r.Count), r.Topic, r.Origin, r.Reason))
	}
	for _, r := range p.Refused {
		lines = append(lines, fmt.Sprintf("refused: %s, such as %s: %s", letters(r.Count), r.Example, r.Why))
	}
	return lines
}

// A letterCount shows on a terminal how many of the letters are done with.
type letterCount struct {
	*progress
	n atomic.Int64
}

func (a *app) countLetters(verb string, total int) *letterCount {
	c := new(letterCount)
	c.progress = a.startProgress(func() string { return fmt.Sprintf("%s %d of %s", verb, c.n.Load(), letters(total)) })
	return c
}

func (c *letterCount) add() { c.n.Add(1) }
