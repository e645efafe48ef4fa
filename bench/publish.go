package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

const publishTopic = "bench-publish"

// measurePublish measures how fast events go from standard input to a topic.
func measurePublish(ctx context.Context, r *rig) (err error) {
	drop, err := r.newTopic(ctx, publishTopic)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	lines, err := r.writeLines("direct.jsonl", r.events)
	if err != nil {
		return err
	}
	direct := func(extra ...string) []string {
		return append([]string{r.todoctl, "events", "publish", publishTopic, "--direct", "--brokers", r.broker.addr}, extra...)
	}
	ranks, err := r.takeTurns(ctx, "publish, direct", []tool{
		{name: "bare produce loop", argv: []string{r.self, "child-produce", r.broker.addr, publishTopic, lines}},
		{name: "todoctl, lines as they are (--input raw)", input: lines, argv: direct("--input", "raw"), goal: "≥ 0.95 ×, ≥ kcat"},
		{name: "todoctl, events with their keys", input: lines, argv: direct("--no-validate"), goal: "≥ kcat"},
		{name: "kcat -P", input: lines, argv: []string{"kcat", "-b", r.broker.addr, "-P", "-t", publishTopic}, lacks: missing("kcat")},
	}, nil)
	if err != nil {
		return err
	}
	t := toolTable(fmt.Sprintf("Publish from standard input: %s events of %d bytes", count(float64(r.events)), recordSize), ranks, r.events, recordSize)
	t.print(r.out)
	return r.measurePublishSidecar(ctx)
}

// measurePublishSidecar compares with bulk calls through the same sidecar, whose
// process and events are made before its time counts.
func (r *rig) measurePublishSidecar(ctx context.Context) error {
	lines, err := r.writeLines("sidecar.jsonl", r.events)
	if err != nil {
		return err
	}
	publish := tool{name: "todoctl events publish", input: lines, argv: []string{
		r.todoctl, "events", "publish", publishTopic, "--no-validate",
		"--dapr-http-port", strconv.Itoa(r.sidecar.HTTPPort()), "--dapr-grpc-port", strconv.Itoa(r.sidecar.GRPCPort()),
	}}
	var bare, ours, memory spread
	for round := range r.rounds {
		b, err := r.bulkTurn(ctx)
		if err != nil {
			return err
		}
		s, err := r.show(ctx, publish)
		if err != nil {
			return err
		}
		rate := float64(r.events) / s.seconds
		r.note("publish, sidecar, round %d of %d: bare bulk calls %s/s, todoctl %s/s", round+1, r.rounds, count(b.rate), count(rate))
		bare, ours, memory = append(bare, b.rate), append(ours, rate), append(memory, s.memory)
	}
	t := table{title: fmt.Sprintf("Publish through the sidecar: %s events", count(float64(r.events))), head: []string{"", "events/s", "to the bare calls", "goal", "most memory MB"}}
	t.add(fmt.Sprintf("bare bulk calls, %d events each, %d at a time", bulkEvents, bulkCalls), bare.counts(), "", "", "")
	t.add(publish.name+", from standard input", ours.counts(), ratios(ours, bare).times(), "≥ 0.9 ×", count(slices.Max(memory)))
	t.print(r.out)
	return nil
}

// writeLines makes a file with n events, one a line.
func (r *rig) writeLines(name string, n int) (path string, err error) {
	path = filepath.Join(r.dir, name)
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	out := bufio.NewWriterSize(file, 1<<20)
	var line []byte
	for i := range n {
		line = append(cloudEvent(line[:0], i), '\n')
		if _, err := out.Write(line); err != nil {
			return "", err
		}
	}
	return path, out.Flush()
}
