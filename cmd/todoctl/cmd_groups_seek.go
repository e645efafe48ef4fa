package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/ui"
)

// seekFlags are what seek is told.
type seekFlags struct {
	groups.Seek
	to, toGroup, toFile string
	dryRun, yes         bool
}

func (a *app) groupsSeekCommand() *cobra.Command {
	var f seekFlags
	cmd := &cobra.Command{
		Use: "seek GROUP --to PLACE", Short: "Move the committed offsets of a group that nobody consumes in",
		Long: `Move the committed offsets of a group that nobody consumes in: back, to have records
read again, or ahead, to skip them. It shows what it would do and asks; then it commits
all offsets in one request and reads them back. Nothing is written when anything is
wrong. Offsets stay within the log: what would be outside goes to its nearer end.

PLACE (--to): ` + groups.TargetForms + `.

Without --topic it moves all topics that the group has committed. A topic that it
hasn't, or a group that doesn't exist, needs --allow-new-topics; group: and file: bring
their own topics. A file has a TOPIC PARTITION OFFSET a line, or is the output of
'todoctl groups describe --output json'.`,
		Example: `  todoctl groups seek reminder-worker --to start --dry-run
  todoctl groups seek reminder-worker --to @-2h --topic reminders
  todoctl groups seek reminder-worker --to -10 --topic reminders --partition 1 --yes
  todoctl groups seek reminder-worker --to group:reminder-worker-old
  todoctl groups seek reminder-worker --to file:offsets.json`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeGroups,
		RunE: func(cmd *cobra.Command, names []string) error {
			f.Group = names[0]
			if err := a.readSeek(&f); err != nil {
				return err
			}
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runGroupsSeek(ctx, client, f)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	flags := cmd.Flags()
	flags.SetNormalizeFunc(rpkNames)
	flags.StringVar(&f.to, "to", "", "where to")
	flags.StringVar(&f.toGroup, "to-group", "", "the same as --to group:NAME")
	flags.StringVar(&f.toFile, "to-file", "", "the same as --to file:PATH")
	flags.StringSliceVarP(&f.Topics, "topic", "t", nil, "only this topic; repeat it for several")
	flags.Int32SliceVarP(&f.Partitions, "partition", "p", nil, "only this partition; repeat it for several")
	flags.BoolVar(&f.AllowNew, "allow-new-topics", false, "also topics that the group hasn't committed yet, and a group that doesn't exist")
	flags.BoolVar(&f.dryRun, "dry-run", false, "only show what would be done")
	flags.BoolVarP(&f.yes, "yes", "y", false, "don't ask")
	completeWords(cmd, "to", "start", "end", "@", "group:", "file:")
	completeFlag(cmd, "to-group", a.completeGroups)
	completeFlag(cmd, "topic", a.completeTopics)
	return cmd
}

// readSeek reads where to, with the file if it is one.
func (a *app) readSeek(f *seekFlags) error {
	var places []string
	for _, place := range []struct{ prefix, value string }{{"", f.to}, {"group:", f.toGroup}, {"file:", f.toFile}} {
		if place.value != "" {
			places = append(places, place.prefix+place.value)
		}
	}
	if len(places) != 1 {
		return usagef("say where to, once: --to start, --to @-1h; accepted are %s", groups.TargetForms)
	}
	var err error
	if f.To, err = groups.ParseTarget(places[0], time.Now()); err != nil {
		return usagef("--to: %w", err)
	}
	if f.To.Kind != groups.ToFile {
		return nil
	}
	text, err := a.readFile(f.To.Name)
	if err != nil {
		return err
	}
	if f.Saved, err = groups.ParseSaved(text, f.Group); err != nil {
		return fmt.Errorf("read offsets of %s: %w", a.fileName(f.To.Name), err)
	}
	return nil
}

// groupsSeek is the result of seek.
type groupsSeek struct {
	DryRun bool `json:"dry_run"`
	Done   bool `json:"done"` // committed and read back, without an error
	groups.Plan
}

func (a *app) runGroupsSeek(ctx context.Context, client *kgo.Client, f seekFlags) error {
	plan, err := f.Plan(ctx, client)
	if err != nil {
		return err
	}
	result := groupsSeek{DryRun: f.dryRun, Plan: plan}
	if f.dryRun || plan.Empty() {
		result.Done = !f.dryRun
		return a.printSeek(result)
	}
	if !f.yes {
		p := a.messages()
		seekTable(p, a.stderr, plan)
		if err := a.confirm(ctx, question(plan)); err != nil {
			return err
		}
	}
	moves, err := plan.Apply(ctx, client)
	if moves == nil {
		return err
	}
	result.Moves, result.Done = moves, err == nil
	return errors.Join(err, a.printSeek(result))
}

func question(plan groups.Plan) string {
	if plan.Creates {
		return fmt.Sprintf("create group %s with these offsets", plan.Group)
	}
	return "move these offsets of group " + plan.Group
}

func (a *app) printSeek(r groupsSeek) error {
	p := a.printer()
	return p.Print("groups.seek", r, func(w io.Writer) {
		seekTable(p, w, r.Plan)
		switch {
		case r.Empty():
			fmt.Fprintln(w, "nothing to do: all offsets are there already")
		case r.DryRun:
			fmt.Fprintf(w, "would %s\n", question(r.Plan))
		}
	})
}

// seekTable shows the moves, and what is left as it is.
func seekTable(p ui.Printer, w io.Writer, plan groups.Plan) {
	header := []string{"TOPIC", "PARTITION", "PRIOR", "", "NEW"}
	var rows [][]string
	notes := false
	for _, m := range plan.Moves {
		note := m.Note
		if m.Error != "" {
			note = strings.TrimPrefix(note+"; FAILED: "+m.Error, "; ")
		}
		notes = notes || note != ""
		rows = append(rows, []string{m.Topic, strconv.Itoa(int(m.Partition)), number(m.Prior), "→", strconv.FormatInt(m.New, 10), note})
	}
	if notes {
		header = append(header, "NOTE")
	} else {
		for i := range rows {
			rows[i] = rows[i][:len(header)]
		}
	}
	p.Table(w, header, rows)
	for _, s := range plan.Skips {
		place := s.Topic
		if s.Partition >= 0 {
			place = fmt.Sprintf("%s[%d]", s.Topic, s.Partition)
		}
		fmt.Fprintf(w, "left as it is: %s: %s\n", ui.Clean(place), s.Reason)
	}
}
