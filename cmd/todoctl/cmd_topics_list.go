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
