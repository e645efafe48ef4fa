package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
)

func (a *app) groupsCommand() *cobra.Command {
	cmd := group("groups", "See how far consumer groups have read, and move their offsets", `
  todoctl groups list
  todoctl groups describe reminder-worker
  todoctl groups describe -r . --max-lag 1000    # exit code 3 when a group lags
  todoctl groups seek reminder-worker --to @-1h --dry-run`)
	cmd.AddCommand(a.groupsListCommand(), a.groupsDescribeCommand(), a.groupsSeekCommand(), a.groupsDeleteCommand())
	return cmd
}

// completeGroups offers the names of the cluster's consumer groups.
func (a *app) completeGroups(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	return a.completeNames(cmd, groups.Names)
}

// completeFlag completes a flag with names of the cluster.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic("todoctl: complete --" + flag + ": " + err.Error()) // the flag is not there: a mistake in the program
	}
}

// rpkNames takes the names that rpk has for flags of ours.
func rpkNames(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	switch name {
	case "topics":
		name = "topic"
	case "print-summary":
		name = "summary"
	}
	return pflag.NormalizedName(name)
}

func (a *app) groupsListCommand() *cobra.Command {
	var states []string
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the consumer groups with their state and lag",
		Long: `List the consumer groups with their state and lag. A group of type consumer speaks the
protocol of KIP-848. Share groups have no lag of this kind.`,
		Example: `  todoctl groups list
  todoctl groups list --state empty --state dead
  todoctl groups list --json | jq '.groups[] | select(.total_lag > 0) | .group'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkStates(states); err != nil {
				return err
			}
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runGroupsList(ctx, client, states)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	cmd.Flags().StringSliceVar(&states, "state", nil, "only groups in this state; repeat it for several")
	completeWords(cmd, "state", groups.States()...)
	return cmd
}

func checkStates(states []string) error {
	for _, s := range states {
		if !slices.ContainsFunc(groups.States(), func(known string) bool { return strings.EqualFold(s, known) }) {
			return usagef("--state %q: must be one of %s", s, strings.Join(groups.States(), ", "))
		}
	}
	return nil
}

func (a *app) runGroupsList(ctx context.Context, client *kgo.Client, states []string) error {
	found, err := groups.List(ctx, client, states)
	if found == nil {
		return err
	}
	result := struct {
		Groups []groups.Summary `json:"groups"`
	}{found}
	p := a.printer()
	printErr := p.Print("groups", result, func(w io.Writer) {
		switch {
		case len(found) > 0:
			p.Table(w, []string{"GROUP", "STATE", "TYPE", "PROTOCOL-TYPE", "COORDINATOR", "MEMBERS", "TOTAL-LAG", "TOPICS"}, groupRows(found))
		case len(states) > 0:
			fmt.Fprintf(w, "no group is %s\n", strings.Join(states, " or "))
		default:
			fmt.Fprintln(w, "no groups; a consumer with a group id makes one")
		}
	})
	errs := []error{err, printErr}
	for _, g := range found {
		if g.Error != "" {
			errs = append(errs, fmt.Errorf("group %s: %s", g.Group, g.Error))
		}
	}
	return errors.Join(errs...)
}

func groupRows(found []groups.Summary) [][]string {
	var rows [][]string
	for _, g := range found {
		members, lag := "-", "-"
		if g.Members != nil {
			members = strconv.Itoa(*g.Members)
		}
		if g.TotalLag != nil {
			lag = strconv.FormatInt(*g.TotalLag, 10)
		}
		rows = append(rows, []string{
			g.Group, g.State, g.Type, g.ProtocolType, strconv.Itoa(int(g.Coordinator)), members, lag, strings.Join(g.Topics, ","),
		})
	}
	return rows
}
