package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
	"github.com/todoctl/todoctl/internal/ui"
)

// resetHelp tells of settings that the specs don't name.
const resetHelp = "also take off what is set on the topics and not in the spec"

func (a *app) topicsPlanCommand() *cobra.Command {
	var wanted wantedTopics
	var out string
	var reset bool
	cmd := &cobra.Command{
		Use: "plan", Short: "Show what setup would change, and keep it for later",
		Long: `Show what setup would change, old → new, and what it would refuse, with the reason.
The cluster is asked whether it would take each change; nothing is changed.

--out keeps the plan in a file: 'todoctl topics setup --plan FILE' does exactly that, or
nothing when the cluster is another one or has changed meanwhile in what the plan
touches. --json prints the same.`,
		Example: `  todoctl topics plan
  todoctl topics plan -f topics.yaml --out plan.json && echo nothing to do
  todoctl topics plan --reset-unknown --json`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			specs, err := a.specs(wanted.file)
			if err != nil {
				return err
			}
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				plan, err := planned(ctx, client, specs, wanted.cluster)
				if err != nil {
					return err
				}
				if reset {
					plan = plan.Reset()
				}
				if plan, err = topics.Check(ctx, client, plan); err != nil {
					return err
				}
				return a.printPlan(plan, specs, out)
			})
		},
	}
	wanted.flags(cmd)
	cmd.Flags().StringVar(&out, "out", "", "write the plan to this file, too, for 'topics setup --plan'")
	cmd.Flags().BoolVar(&reset, "reset-unknown", false, resetHelp)
	return exits(cmd, "0 nothing to do · 1 failed · 2 wrong usage · 3 something is to be changed, or refused · 130 interrupted")
}

func (a *app) printPlan(plan topics.Plan, specs []topics.Spec, out string) error {
	apply := "'todoctl topics setup'"
	if out != "" {
		if err := writePlan(plan, out); err != nil {
			return err
		}
		apply = fmt.Sprintf("'todoctl topics setup --plan %s'", out)
	}
	err := a.printer().Print(topics.PlanKind, plan, func(w io.Writer) { planText(w, plan, specs) })
	switch {
	case err != nil || plan.Empty():
		return err
	case len(plan.Steps) == 0:
		return noError{remain(plan.Refusals)}
	default:
		return noError{fmt.Errorf("%s to make; %s makes what can be made", howMany(len(plan.Steps), "change"), apply)}
	}
}

func writePlan(plan topics.Plan, path string) error {
	var page bytes.Buffer
	file := ui.Printer{Out: &page, Format: ui.JSON}
	if err := file.Print(topics.PlanKind, plan, nil); err != nil {
		return err
	}
	if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the plan: %w", err)
	}
	return nil
}

// planText writes the changes of each topic below its name.
func planText(w io.Writer, plan topics.Plan, specs []topics.Spec) {
	for _, s := range specs {
		lines := planLines(plan, s.Name)
		if len(lines) == 0 {
			continue
		}
		fmt.Fprintln(w, s.Name)
		for _, line := range lines {
			fmt.Fprintln(w, "  "+ui.Clean(line))
		}
	}
	printNotes(w, plan.Notes)
	switch left := unchanged(specs, plan); {
	case plan.Empty():
		fmt.Fprintln(w, "nothing to do: "+asWanted(len(specs)))
	case left > 0:
		fmt.Fprintln(w, alreadyWanted(left))
	}
}

func planLines(plan topics.Plan, topic string) []string {
	var lines []string
	for _, s := range plan.Steps {
		if s.Topic == topic {
			lines = append(lines, stepWord(s)+": "+s.Change())
		}
	}
	for _, r := range plan.Refusals {
		if r.Topic == topic {
			lines = append(lines, "refused: "+r.Field+": "+cmp.Or(r.Have, "(none)")+" → "+r.Want+": "+r.Reason)
		}
	}
	for _, s := range plan.Stray {
		if s.Topic == topic {
			lines = append(lines, "not in the spec: "+s.Key+": "+s.Shown()+" (stays; --reset-unknown takes it off)")
		}
	}
	return lines
}

func stepWord(s topics.Step) string {
	switch s.Action {
	case topics.CreateTopic:
		return "create"
	case topics.AddPartitions:
		return "partitions"
	case topics.ResetConfig:
		return "reset " + s.Key
	default:
		return s.Key
	}
}

func printNotes(w io.Writer, notes []topics.Note) {
	for _, n := range notes {
		fmt.Fprintf(w, "note: %s: %s\n", strings.Join(n.Topics, ", "), ui.Clean(n.Text))
	}
}

// unchanged counts the topics of the specs that the plan has nothing to say about.
func unchanged(specs []topics.Spec, plan topics.Plan) int {
	touched := plan.Topics()
	for _, r := range plan.Refusals {
		if !slices.Contains(touched, r.Topic) {
			touched = append(touched, r.Topic)
		}
	}
	return len(specs) - len(touched)
}
