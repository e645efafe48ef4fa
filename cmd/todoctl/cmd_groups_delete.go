package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
)

func (a *app) groupsDeleteCommand() *cobra.Command {
	var dryRun, yes bool
	cmd := &cobra.Command{
		Use: "delete GROUP", Short: "Forget a group that nobody consumes in, with all its offsets",
		Example: `  todoctl groups describe old-worker --json > offsets.json   # to be able to go back
  todoctl groups delete old-worker`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeGroups,
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runGroupsDelete(ctx, client, names[0], dryRun, yes)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell whether it could be deleted")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "don't ask")
	return cmd
}

func (a *app) runGroupsDelete(ctx context.Context, client *kgo.Client, name string, dryRun, yes bool) error {
	if err := groups.CheckIdle(ctx, client, name); err != nil {
		return err
	}
	what := fmt.Sprintf("delete group %s with all its offsets", name)
	if !dryRun {
		if !yes {
			if err := a.confirm(ctx, what); err != nil {
				return err
			}
		}
		if err := groups.Delete(ctx, client, name); err != nil {
			return err
		}
	}
	result := struct {
		DryRun bool   `json:"dry_run"`
		Group  string `json:"group"`
	}{dryRun, name}
	return a.printer().Print("groups.delete", result, func(w io.Writer) {
		if dryRun {
			fmt.Fprintf(w, "would %s\n", what)
			return
		}
		fmt.Fprintf(w, "deleted group %s\n", name)
	})
}
