package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
)

func (a *app) topicsListCommand() *cobra.Command {
	var internal bool
	var health topics.Health
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the topics of the cluster",
		Example: `  todoctl topics list
  todoctl topics list --internal --output yaml
  todoctl topics list --offline --under-replicated || echo not well`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				found, err := topics.List(ctx, client, internal)
				if err != nil {
					return err
				}
				return a.printTopics(found, health)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	cmd.Flags().BoolVar(&internal, "internal", false, "also those that Kafka keeps for itself")
	return healthFlags(cmd, &health)
}

func (a *app) printTopics(found []topics.Summary, health topics.Health) error {
	if health.Set() {
		found = health.Topics(found)
	}
	result := struct {
		Topics []topics.Summary `json:"topics"`
	}{found}
	p := a.printer()
	err := p.Print("topics", result, func(w io.Writer) {
		switch {
		case len(found) == 0 && health.Set():
			fmt.Fprintf(w, "no topic has partitions that are %s\n", healthWords(health))
			return
		case len(found) == 0:
			fmt.Fprintln(w, "no topics; 'todoctl topics setup' creates the stack's own")
			return
		}
		header := []string{"TOPIC", "PARTITIONS", "REPLICAS", "RETENTION", "CLEANUP"}
		if health.Set() {
			header = append(header, "UNDER-REPLICATED", "OFFLINE")
		}
		var rows [][]string
		for _, t := range found {
			row := []string{t.Topic, strconv.Itoa(t.Partitions), strconv.Itoa(int(t.ReplicationFactor)), t.Retention, t.CleanupPolicy}
			if health.Set() {
				row = append(row, strconv.Itoa(t.UnderReplicated), strconv.Itoa(t.Offline))
			}
			rows = append(rows, row)
		}
		p.Table(w, header, rows)
	})
	if err != nil {
		return err
	}
	return healthAnswer(health, len(found))
}
