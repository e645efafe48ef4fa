package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
)

func (a *app) topicsCommand() *cobra.Command {
	cmd := group("topics", "Keep the topics as they should be: the stack's own, or those of a file", `
  todoctl topics plan                            # what is missing or different
  todoctl topics setup                           # make it so
  todoctl topics verify                          # is everything as it should be?
  todoctl topics spec > topics.yaml              # a file to start from, for -f topics.yaml
  todoctl topics describe task-events`)
	cmd.AddCommand(a.topicsPlanCommand(), a.topicsSetupCommand(), a.topicsVerifyCommand(), a.topicsSpecCommand(),
		a.topicsListCommand(), a.topicsDescribeCommand(), a.topicsDeleteCommand())
	return cmd
}

// wantedTopics are the flags that say which topics are wanted, and on which cluster.
type wantedTopics struct {
	file    string // "-" is stdin; empty is the built-in five
	cluster string // its id; empty is any
}

func (w *wantedTopics) flags(cmd *cobra.Command) {
	brokerFlags(cmd, "data-dir")
	cmd.Flags().StringVarP(&w.file, "file", "f", "", "topics as wanted, YAML or JSON, - for stdin (default the stack's own five)")
	clusterFlag(cmd, &w.cluster)
}

func clusterFlag(cmd *cobra.Command, cluster *string) {
	cmd.Flags().StringVar(cluster, "expect-cluster-id", "", "do nothing unless the cluster has this id")
}

// specs are the topics as wanted. A mistake in the file is one in the usage.
func (a *app) specs(file string) ([]topics.Spec, error) {
	if file == "" {
		return topics.Builtin(), nil
	}
	data, err := a.readFile(file)
	if err != nil {
		return nil, usageError{err}
	}
	specs, err := topics.Parse(a.fileName(file), data)
	if err != nil {
		return nil, usageError{err}
	}
	return specs, nil
}

// planned is what it takes to make the cluster as wanted.
func planned(ctx context.Context, client *kgo.Client, specs []topics.Spec, cluster string) (topics.Plan, error) {
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return topics.Plan{}, err
	}
	if err := state.Expect(cluster); err != nil {
		return topics.Plan{}, err
	}
	return topics.Diff(specs, state), nil
}

// remain counts what setup doesn't change.
func remain(refusals []topics.Refusal) error {
	return fmt.Errorf("%s left that setup doesn't change", howMany(len(refusals), "difference"))
}

// howMany is a number with its noun.
func howMany(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// asWanted says that all of the topics are well.
func asWanted(topics int) string {
	switch topics {
	case 0:
		return "no topic is wanted"
	case 1:
		return "the topic is as it should be"
	}
	return fmt.Sprintf("all %d topics are as they should be", topics)
}

// alreadyWanted says that some of the topics need nothing.
func alreadyWanted(topics int) string {
	if topics == 1 {
		return "1 topic is as it should be already"
	}
	return fmt.Sprintf("%d topics are as they should be already", topics)
}
