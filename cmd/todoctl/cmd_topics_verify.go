package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) topicsVerifyCommand() *cobra.Command {
	var wanted wantedTopics
	cmd := &cobra.Command{
		Use: "verify", Short: "Tell whether the topics are as they should be",
		Example: `  todoctl topics verify && echo fine
  todoctl topics verify -f topics.yaml --expect-cluster-id prod-1
  todoctl topics verify --json | jq .drift`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			specs, err := a.specs(wanted.file)
			if err != nil {
				return err
			}
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runTopicsVerify(ctx, client, specs, wanted.cluster)
			})
		},
	}
	wanted.flags(cmd)
	return exits(cmd, "0 all is as it should be · 1 failed · 2 wrong usage · 3 something differs · 130 interrupted")
}

// topicsVerify is the result of verify.
type topicsVerify struct {
	Cluster string         `json:"cluster_id"`
	OK      bool           `json:"ok"`
	Drift   []topics.Drift `json:"drift"`
	Stray   []topics.Stray `json:"stray"` // no difference: nobody wants anything of them
}

func (a *app) runTopicsVerify(ctx context.Context, client *kgo.Client, specs []topics.Spec, cluster string) error {
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return err
	}
	if err := state.Expect(cluster); err != nil {
		return err
	}
	result := topicsVerify{Cluster: state.Cluster, Drift: topics.Verify(specs, state), Stray: topics.Diff(specs, state).Stray}
	result.OK = len(result.Drift) == 0
	p := a.printer()
	err = p.Print("topics.verify", result, func(w io.Writer) {
		if result.OK {
			fmt.Fprintln(w, asWanted(len(specs)))
		} else {
			var rows [][]string
			for _, d := range result.Drift {
				rows = append(rows, []string{d.Topic, d.Field, d.Have, d.Want})
			}
			p.Table(w, []string{"TOPIC", "WHAT", "IS", "SHOULD BE"}, rows)
		}
		for _, s := range result.Stray {
			fmt.Fprintln(w, "note: "+ui.Clean(s.String()))
		}
	})
	if err == nil && !result.OK {
		err = noError{fmt.Errorf("%s; 'todoctl topics setup' mends what can be mended", howMany(len(result.Drift), "difference"))}
	}
	return err
}
