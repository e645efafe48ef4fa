package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) topicsCommand() *cobra.Command {
	cmd := group("topics", "Create the stack's topics, and see whether they are as they should be", `
  todoctl topics setup
  todoctl topics verify
  todoctl topics describe task-events`)
	cmd.AddCommand(a.topicsSetupCommand(), a.topicsVerifyCommand(), a.topicsListCommand(), a.topicsDescribeCommand())
	return cmd
}

func (a *app) topicsSetupCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "setup", Short: "Create the five topics, or bring them to what they should be",
		Long: `Create the five topics of the stack, or bring them to what they should be. It adds
partitions and changes settings; it never deletes or shrinks. What it can't change, it
names. Run again, it changes nothing.`,
		Example: "  todoctl topics setup\n  todoctl topics setup --dry-run --brokers kafka-1:9092,kafka-2:9092",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runTopicsSetup(ctx, client, dryRun)
			})
		},
	}
	settingFlags(cmd, "brokers", "data-dir")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what would be done")
	return cmd
}

// topicsSetup is the result of a setup.
type topicsSetup struct {
	DryRun    bool             `json:"dry_run"`
	Steps     []topics.Result  `json:"steps"`
	Refusals  []topics.Refusal `json:"refusals"`
	Notes     []topics.Note    `json:"notes"`
	Unchanged int              `json:"unchanged"` // topics
}

func (a *app) runTopicsSetup(ctx context.Context, client *kgo.Client, dryRun bool) error {
	specs := topics.Builtin()
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return err
	}
	plan := topics.Diff(specs, state)
	result := topicsSetup{DryRun: dryRun, Refusals: plan.Refusals, Notes: plan.Notes, Unchanged: unchanged(specs, plan)}
	if dryRun {
		for _, step := range plan.Steps {
			result.Steps = append(result.Steps, topics.Result{Step: step})
		}
	} else {
		result.Steps, err = topics.Apply(ctx, client, plan)
	}
	if printErr := a.printer().Print("topics.setup", result, result.text); printErr != nil {
		return errors.Join(err, printErr)
	}
	if err == nil && len(plan.Refusals) > 0 {
		err = fmt.Errorf("%d differences remain that setup doesn't change", len(plan.Refusals))
	}
	return err
}

func unchanged(specs []topics.Spec, plan topics.Plan) int {
	touched := make(map[string]bool)
	for _, s := range plan.Steps {
		touched[s.Topic] = true
	}
	for _, r := range plan.Refusals {
		touched[r.Topic] = true
	}
	return len(specs) - len(touched)
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
		fmt.Fprintf(w, "not changed: %s %s is %s, wanted %s: %s\n", refusal.Topic, refusal.Field, refusal.Have, refusal.Want, refusal.Reason)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note: %s: %s\n", strings.Join(note.Topics, ", "), note.Text)
	}
	switch {
	case len(r.Steps) == 0 && len(r.Refusals) == 0:
		fmt.Fprintf(w, "nothing to do: all %d topics are as they should be\n", r.Unchanged)
	case r.Unchanged > 0:
		fmt.Fprintf(w, "%d topics are as they should be already\n", r.Unchanged)
	}
}

func (a *app) topicsVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "verify", Short: "Tell whether the five topics are as they should be",
		Example: "  todoctl topics verify && echo fine\n  todoctl topics verify --json | jq .drift",
		Args:    args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.onCluster(cmd, a.runTopicsVerify) },
	}
	settingFlags(cmd, "brokers", "data-dir")
	return exits(cmd, "0 all is as it should be · 1 failed · 2 wrong usage · 3 something differs · 130 interrupted")
}

func (a *app) runTopicsVerify(ctx context.Context, client *kgo.Client) error {
	specs := topics.Builtin()
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return err
	}
	result := struct {
		OK    bool           `json:"ok"`
		Drift []topics.Drift `json:"drift"`
	}{Drift: topics.Verify(specs, state)}
	result.OK = len(result.Drift) == 0
	if result.OK {
		result.Drift = []topics.Drift{}
	}
	p := a.printer()
	err = p.Print("topics.verify", result, func(w io.Writer) {
		if result.OK {
			fmt.Fprintf(w, "all %d topics are as they should be\n", len(specs))
			return
		}
		var rows [][]string
		for _, d := range result.Drift {
			rows = append(rows, []string{d.Topic, d.Field, d.Have, d.Want})
		}
		p.Table(w, []string{"TOPIC", "WHAT", "IS", "SHOULD BE"}, rows)
	})
	if err == nil && !result.OK {
		err = noError{fmt.Errorf("%d differences; 'todoctl topics setup' mends what can be mended", len(result.Drift))}
	}
	return err
}

func (a *app) topicsListCommand() *cobra.Command {
	var internal bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the topics of the cluster",
		Example: "  todoctl topics list\n  todoctl topics list --internal --output yaml",
		Args:    args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				found, err := topics.List(ctx, client, internal)
				if err != nil {
					return err
				}
				return a.printTopics(found)
			})
		},
	}
	settingFlags(cmd, "brokers", "data-dir")
	cmd.Flags().BoolVar(&internal, "internal", false, "also those that Kafka keeps for itself")
	return cmd
}

func (a *app) printTopics(found []topics.Summary) error {
	result := struct {
		Topics []topics.Summary `json:"topics"`
	}{append([]topics.Summary{}, found...)}
	p := a.printer()
	return p.Print("topics", result, func(w io.Writer) {
		if len(found) == 0 {
			fmt.Fprintln(w, "no topics; 'todoctl topics setup' creates the stack's own")
			return
		}
		var rows [][]string
		for _, t := range found {
			rows = append(rows, []string{t.Topic, strconv.Itoa(t.Partitions), strconv.Itoa(int(t.ReplicationFactor)), t.Retention, t.CleanupPolicy})
		}
		p.Table(w, []string{"TOPIC", "PARTITIONS", "REPLICAS", "RETENTION", "CLEANUP"}, rows)
	})
}

func (a *app) topicsDescribeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "describe TOPIC...", Short: "Show partitions, offsets and settings of topics",
		Example:           "  todoctl topics describe task-events",
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				found, err := topics.Describe(ctx, client, names)
				if err != nil {
					return err
				}
				return a.printDescriptions(found)
			})
		},
	}
	settingFlags(cmd, "brokers", "data-dir")
	return cmd
}

func (a *app) printDescriptions(found []topics.Description) error {
	result := struct {
		Topics []topics.Description `json:"topics"`
	}{found}
	p := a.printer()
	return p.Print("topics.describe", result, func(w io.Writer) {
		for i, t := range found {
			if i > 0 {
				fmt.Fprintln(w)
			}
			p.Fields(w, [][2]string{
				{"topic", t.Topic},
				{"partitions", strconv.Itoa(t.Partitions)},
				{"replicas", strconv.Itoa(int(t.ReplicationFactor))},
				{"retention", t.Retention},
			})
			fmt.Fprintln(w)
			var rows [][]string
			for _, d := range t.Details {
				rows = append(rows, []string{
					strconv.Itoa(int(d.Partition)), strconv.Itoa(int(d.Leader)), numbers(d.Replicas), numbers(d.ISR),
					strconv.FormatInt(d.Start, 10), strconv.FormatInt(d.End, 10), strconv.FormatInt(d.End-d.Start, 10),
				})
			}
			p.Table(w, []string{"PARTITION", "LEADER", "REPLICAS", "IN SYNC", "START", "END", "RECORDS"}, rows)
			fmt.Fprintln(w)
			rows = nil
			for _, c := range t.Configs {
				value := c.Value
				if c.Sensitive {
					value = "***"
				}
				rows = append(rows, []string{c.Key, value, c.Source})
			}
			p.Table(w, []string{"SETTING", "VALUE", "FROM"}, rows)
		}
	})
}

func numbers(nodes []int32) string {
	words := make([]string, len(nodes))
	for i, n := range nodes {
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ",")
}
