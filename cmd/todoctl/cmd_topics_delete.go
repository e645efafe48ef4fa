package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
	"github.com/todoctl/todoctl/internal/ui"
)

// deleteFlags are what delete is told.
type deleteFlags struct {
	cluster     string
	yes, dryRun bool
}

func (a *app) topicsDeleteCommand() *cobra.Command {
	var f deleteFlags
	cmd := &cobra.Command{
		Use: "delete TOPIC...", Aliases: []string{"rm"}, Short: "Delete topics with all their records",
		Long: `Delete topics with all their records, for ever. Each is named exactly, and its name is
asked for once more, unless --yes is given. When one of them doesn't exist, none is
deleted. Topics that Kafka keeps for itself are refused.`,
		Example: `  todoctl topics delete old-events --dry-run
  todoctl topics delete old-events
  todoctl topics delete old-events older-events --yes --expect-cluster-id test-1`,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runTopicsDelete(ctx, client, names, f)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	clusterFlag(cmd, &f.cluster)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only show what would be deleted")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	return cmd
}

// A deletion is a topic that is, or would be, deleted.
type deletion struct {
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
	Records    int64  `json:"records"`
	Known      bool   `json:"records_known"` // false: there may be more
	Deleted    bool   `json:"deleted"`
	Reason     string `json:"error,omitempty"`
}

func (d deletion) String() string {
	records := howMany(int(d.Records), "record")
	if !d.Known {
		records = "at least " + records
	}
	return fmt.Sprintf("%s: %s, %s", d.Topic, howMany(d.Partitions, "partition"), records)
}

func (a *app) runTopicsDelete(ctx context.Context, client *kgo.Client, args []string, f deleteFlags) error {
	names := distinct(args)
	doomed, err := findDoomed(ctx, client, names, f.cluster)
	if err != nil {
		return err
	}
	if f.dryRun {
		return a.printDeletions(doomed, true)
	}
	if !f.yes {
		tell := func(name string) string {
			i := slices.IndexFunc(doomed, func(d deletion) bool { return d.Topic == name })
			return ui.Clean(doomed[i].String()) + " will be gone for ever"
		}
		if err := a.confirmNames(ctx, "delete "+strings.Join(names, ", "), names, tell); err != nil {
			return err
		}
	}
	outcome, err := topics.Delete(ctx, client, names)
	if outcome == nil {
		return err
	}
	for i, d := range doomed {
		if failure := outcome[d.Topic]; failure != nil {
			doomed[i].Reason = failure.Error()
			continue
		}
		doomed[i].Deleted = true
	}
	return errors.Join(err, a.printDeletions(doomed, false))
}

// findDoomed looks at the topics before anything is deleted.
func findDoomed(ctx context.Context, client *kgo.Client, names []string, cluster string) ([]deletion, error) {
	state, err := topics.Read(ctx, client, names)
	if err != nil {
		return nil, err
	}
	if err := state.Expect(cluster); err != nil {
		return nil, err
	}
	found, err := state.Describe(ctx, client, names)
	if err != nil {
		return nil, fmt.Errorf("%w\nnothing was deleted", err)
	}
	doomed := make([]deletion, len(found))
	for i, d := range found {
		if d.Internal {
			return nil, fmt.Errorf("topic %q is Kafka's own; nothing was deleted", d.Topic)
		}
		records, known := d.Records()
		doomed[i] = deletion{Topic: d.Topic, Partitions: d.Partitions, Records: records, Known: known}
	}
	return doomed, nil
}

func (a *app) printDeletions(deletions []deletion, dryRun bool) error {
	result := struct {
		DryRun bool       `json:"dry_run"`
		Topics []deletion `json:"topics"`
	}{dryRun, deletions}
	return a.printer().Print("topics.delete", result, func(w io.Writer) {
		for _, d := range deletions {
			line := "deleted " + d.String()
			switch {
			case dryRun:
				line = "would delete " + d.String()
			case !d.Deleted:
				line = "FAILED delete " + d.Topic + ": " + d.Reason
			}
			fmt.Fprintln(w, ui.Clean(line))
		}
	})
}

// distinct is each word once, in the order in which they stand.
func distinct(words []string) []string {
	var once []string
	for _, w := range words {
		if !slices.Contains(once, w) {
			once = append(once, w)
		}
	}
	return once
}
