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
	"github.com/todoctl/todoctl/internal/ui"
)

func (a *app) topicsDescribeCommand() *cobra.Command {
	var health topics.Health
	cmd := &cobra.Command{
		Use: "describe [TOPIC...]", Short: "Show partitions, offsets, sizes, settings and readers of topics",
		Long: `Show partitions with their leaders and in-sync replicas, offsets, sizes on disk, the
settings and where each comes from, and the consumer groups that read a topic, with
their lag in records. A size is that of one copy. What the brokers don't tell is
unknown.

With --under-replicated or --offline, only partitions that are not well are shown, of
all topics when none is named.`,
		Example: `  todoctl topics describe task-events
  todoctl topics describe --under-replicated --offline
  todoctl topics describe task-events --json | jq '.topics[0].groups'`,
		ValidArgsFunction: a.completeTopics,
		Args: args(func(_ *cobra.Command, names []string) error {
			if len(names) == 0 && !health.Set() {
				return fmt.Errorf("name a topic, or look for what is not well with --under-replicated or --offline")
			}
			return nil
		}),
		RunE: func(cmd *cobra.Command, names []string) error {
			return a.onCluster(cmd, func(ctx context.Context, client *kgo.Client) error {
				return a.runTopicsDescribe(ctx, client, names, health)
			})
		},
	}
	brokerFlags(cmd, "data-dir")
	return healthFlags(cmd, &health)
}

func (a *app) runTopicsDescribe(ctx context.Context, client *kgo.Client, names []string, health topics.Health) error {
	if len(names) == 0 {
		all, err := topics.List(ctx, client, true)
		if err != nil {
			return err
		}
		for _, t := range health.Topics(all) {
			names = append(names, t.Topic)
		}
	}
	found, err := topics.Inspect(ctx, client, distinct(names))
	if err != nil {
		return err
	}
	if health.Set() {
		found = health.Partitions(found)
	}
	if err := a.printDescriptions(found, health); err != nil {
		return err
	}
	return healthAnswer(health, len(found))
}

func (a *app) printDescriptions(found []topics.Description, health topics.Health) error {
	result := struct {
		Topics []topics.Description `json:"topics"`
	}{found}
	p := a.printer()
	return p.Print("topics.describe", result, func(w io.Writer) {
		if len(found) == 0 {
			fmt.Fprintf(w, "no partition is %s\n", healthWords(health))
		}
		for i, t := range found {
			if i > 0 {
				fmt.Fprintln(w)
			}
			describeTopic(w, p, t, !health.Set())
		}
	})
}

// describeTopic writes all of a topic, or its partitions only.
func describeTopic(w io.Writer, p ui.Printer, t topics.Description, all bool) {
	fields := [][2]string{
		{"topic", t.Topic},
		{"partitions", strconv.Itoa(t.Partitions)},
		{"replicas", strconv.Itoa(int(t.ReplicationFactor))},
	}
	if all {
		records, known := t.Records()
		fields = append(fields, [2]string{"retention", ui.Clean(t.Retention)},
			[2]string{"records", countText(records, known)}, [2]string{"size", sizeText(t.Size)})
	}
	p.Fields(w, fields)
	fmt.Fprintln(w)
	describePartitions(w, p, t.Details)
	if !all {
		return
	}
	fmt.Fprintln(w)
	describeReaders(w, p, t)
	fmt.Fprintln(w)
	var rows [][]string
	for _, c := range t.Configs {
		rows = append(rows, []string{c.Key, c.Shown(), c.Source})
	}
	p.Table(w, []string{"SETTING", "VALUE", "FROM"}, rows)
}

func describePartitions(w io.Writer, p ui.Printer, partitions []topics.Partition) {
	var rows [][]string
	for _, d := range partitions {
		leader := strconv.Itoa(int(d.Leader))
		if d.Leader < 0 {
			leader = "none"
		}
		known := d.Start >= 0 && d.End >= 0
		rows = append(rows, []string{
			strconv.Itoa(int(d.Partition)), leader, numbers(d.Replicas), numbers(d.ISR),
			countText(d.Start, d.Start >= 0), countText(d.End, d.End >= 0), countText(d.End-d.Start, known), sizeText(d.Size),
		})
	}
	p.Table(w, []string{"PARTITION", "LEADER", "REPLICAS", "IN SYNC", "START", "END", "RECORDS", "SIZE"}, rows)
}

func describeReaders(w io.Writer, p ui.Printer, t topics.Description) {
	switch {
	case t.ReadersError != "":
		fmt.Fprintln(w, ui.Clean("which groups read it is unknown: "+t.ReadersError))
		return
	case len(t.Readers) == 0:
		fmt.Fprintln(w, "no consumer group reads it")
		return
	}
	var rows [][]string
	for _, r := range t.Readers {
		lag := unknown
		if r.Lag != nil {
			lag = strconv.FormatInt(*r.Lag, 10)
		}
		rows = append(rows, []string{r.Group, r.State, lag})
	}
	p.Table(w, []string{"GROUP", "STATE", "LAG"}, rows)
}

// unknown stands for what the brokers don't tell.
const unknown = "unknown"

func countText(n int64, known bool) string {
	if !known {
		return unknown
	}
	return strconv.FormatInt(n, 10)
}

// sizeText is a number of bytes in the largest unit that leaves a digit before the
// point.
func sizeText(bytes *int64) string {
	if bytes == nil {
		return unknown
	}
	n, units := float64(*bytes), []string{"B", "kB", "MB", "GB", "TB", "PB"}
	i := 0
	for n >= 1000 && i < len(units)-1 {
		n, i = n/1000, i+1
	}
	if i == 0 {
		return strconv.FormatInt(*bytes, 10) + " B"
	}
	return fmt.Sprintf("%.1f %s", n, units[i])
}

func numbers(nodes []int32) string {
	words := make([]string, len(nodes))
	for i, n := range nodes {
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ",")
}
