package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/topics"
)

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
