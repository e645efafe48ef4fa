package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/ui"
)

// describeFlags are what describe is told.
type describeFlags struct {
	regex, summary, lagOnly bool
	topics                  []string
	limits                  lagLimits
}

// lagLimits are what a group is held to; a negative one doesn't hold.
type lagLimits struct {
	lag int64
	age time.Duration
}

func (a *app) groupsDescribeCommand() *cobra.Command {
	var f describeFlags
	cmd := &cobra.Command{
		Use: "describe GROUP...", Short: "Show members, offsets and lag of consumer groups",
		Long: `Show members, offsets and lag of consumer groups. LAG-AGE is how long ago the first
record was written that the group hasn't read yet: that record is looked at. Markers of
transactions count in LAG, as everywhere in Kafka, but have no age. Offsets that were
deleted unread, and commits beyond the end, are named under NOTE.

With a limit the answer is no (exit code 3) when a group is over it; in JSON "ok" and
"exceeded" say so, for each group. What 'groups seek --to file:' takes is the JSON of
this command.`,
		Example: `  todoctl groups describe reminder-worker
  todoctl groups describe -r '^todo-' --summary
  todoctl groups describe -r . --max-lag 1000 --max-lag-age 5m || echo "somebody lags"
  todoctl groups describe reminder-worker --json > offsets.json`,
		Args:              args(cobra.MinimumNArgs(1)),
		ValidArgsFunction: a.completeGroups,
		RunE: func(cmd *cobra.Command, names []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runGroupsDescribe(ctx, client, names, f)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	flags := cmd.Flags()
	flags.SetNormalizeFunc(rpkNames)
	flags.BoolVarP(&f.regex, "regex", "r", false, "the groups whose names match a regular expression")
	flags.BoolVarP(&f.summary, "summary", "s", false, "without the partitions")
	flags.BoolVar(&f.lagOnly, "lag-only", false, "only partitions with lag, or with something to say about")
	flags.StringSliceVarP(&f.topics, "topic", "t", nil, "only this topic; repeat it for several")
	flags.Int64Var(&f.limits.lag, "max-lag", -1, "answer no when a group has more records unread")
	flags.DurationVar(&f.limits.age, "max-lag-age", 0, "answer no when a group's oldest unread record is older")
	completeFlag(cmd, "topic", a.completeTopics)
	return exits(cmd, "0 done · 1 failed · 2 wrong usage · 3 a limit is exceeded · 130 interrupted")
}

func (f *describeFlags) check(cmd *cobra.Command) error {
	if cmd.Flags().Changed("max-lag") && f.limits.lag < 0 {
		return usagef("--max-lag %d: must not be negative", f.limits.lag)
	}
	if !cmd.Flags().Changed("max-lag-age") {
		f.limits.age = -1
	} else if f.limits.age < 0 {
		return usagef("--max-lag-age %s: must not be negative", f.limits.age)
	}
	return nil
}

// A describedGroup is a group as it is printed.
type describedGroup struct {
	groups.Description
	OK       bool     `json:"ok"`       // no limit is exceeded
	Exceeded []string `json:"exceeded"` // limits
}

// groupsDescribe is the result of describe.
type groupsDescribe struct {
	OK     bool             `json:"ok"` // of all groups
	Groups []describedGroup `json:"groups"`
}

func (a *app) runGroupsDescribe(ctx context.Context, client *kgo.Client, names []string, f describeFlags) error {
	names, err := groupNames(ctx, client, names, f.regex)
	if err != nil {
		return err
	}
	found, err := groups.Describe(ctx, client, names, f.topics)
	if err != nil {
		return err
	}
	result := groupsDescribe{OK: true, Groups: []describedGroup{}}
	var unknown []error
	for _, d := range found {
		if len(f.topics) > 0 && len(d.Partitions) == 0 {
			unknown = append(unknown, fmt.Errorf("group %q has nothing to do with %s", d.Group.Group, strings.Join(f.topics, ", ")))
		}
		for _, p := range d.Partitions {
			if p.Error != "" {
				unknown = append(unknown, fmt.Errorf("%s[%d] of group %q: %s", p.Topic, p.Partition, d.Group.Group, p.Error))
			}
		}
		exceeded := f.limits.exceeded(d)
		d.Partitions = f.shown(d.Partitions)
		result.Groups = append(result.Groups, describedGroup{Description: d, OK: len(exceeded) == 0, Exceeded: exceeded})
		result.OK = result.OK && len(exceeded) == 0
	}
	p := a.printer()
	unknown = append(unknown, p.Print("groups.describe", result, func(w io.Writer) { result.text(p, w) }))
	if err := errors.Join(unknown...); err != nil {
		return err
	}
	return result.answer()
}

// groupNames are the groups that are meant, each once: those named, or those that
// match.
func groupNames(ctx context.Context, client *kgo.Client, words []string, regex bool) ([]string, error) {
	if !regex {
		return slices.Compact(slices.Sorted(slices.Values(words))), nil
	}
	var patterns []*regexp.Regexp
	for _, word := range words {
		if word == "*" { // for all, as rpk has it
			word = ""
		}
		pattern, err := regexp.Compile(word)
		if err != nil {
			return nil, usagef("%q: %w", word, err)
		}
		patterns = append(patterns, pattern)
	}
	names, err := groups.Names(ctx, client)
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		return !slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return p.MatchString(name) })
	})
	if len(names) == 0 {
		return nil, fmt.Errorf("no group matches %s; 'todoctl groups list' shows the groups", strings.Join(words, " or "))
	}
	return names, nil
}

func (l lagLimits) exceeded(d groups.Description) []string {
	over := []string{}
	if l.lag >= 0 && d.TotalLag > l.lag {
		over = append(over, fmt.Sprintf("%d records are unread, at most %d are allowed", d.TotalLag, l.lag))
	}
	if l.age >= 0 && d.LagSeconds != nil && *d.LagSeconds > l.age.Seconds() {
		over = append(over, fmt.Sprintf("the oldest unread record is %s old, at most %s is allowed", ageText(*d.LagSeconds), l.age))
	}
	return over
}

func (r groupsDescribe) answer() error {
	for _, g := range r.Groups {
		if !g.OK {
			return noError{fmt.Errorf("limit exceeded: group %s: %s", g.Group.Group, strings.Join(g.Exceeded, "; "))}
		}
	}
	return nil
}

// shown are the partitions that are asked for.
func (f describeFlags) shown(partitions []groups.Partition) []groups.Partition {
	return slices.DeleteFunc(partitions, func(p groups.Partition) bool {
		return f.summary || f.lagOnly && p.Lag != nil && *p.Lag == 0 && partitionNote(p) == ""
	})
}

func (r groupsDescribe) text(p ui.Printer, w io.Writer) {
	for i, g := range r.Groups {
		if i > 0 {
			fmt.Fprintln(w)
		}
		age := "unknown"
		if g.LagSeconds != nil {
			age = ageText(*g.LagSeconds)
		}
		p.Fields(w, [][2]string{
			{"GROUP", ui.Clean(g.Group.Group)}, {"COORDINATOR", strconv.Itoa(int(g.Coordinator))}, {"STATE", g.State},
			{"BALANCER", cmp.Or(ui.Clean(g.Balancer), "-")}, {"MEMBERS", strconv.Itoa(len(g.Members))},
			{"TOTAL-LAG", strconv.FormatInt(g.TotalLag, 10)}, {"LAG-AGE", age},
		})
		if len(g.Partitions) > 0 {
			fmt.Fprintln(w)
			p.Table(w, partitionHeader(g.Partitions), partitionRows(g.Partitions))
		}
		for _, m := range g.Idle() {
			fmt.Fprintf(w, "without partitions: %s, client %s at %s\n", ui.Clean(m.ID), ui.Clean(m.ClientID), ui.Clean(m.Host))
		}
	}
}
