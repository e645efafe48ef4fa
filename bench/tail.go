package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const tailTopic = "bench-tail"

// measureTail measures how fast a topic is read to its end and printed.
func measureTail(ctx context.Context, r *rig) (err error) {
	drop, err := r.fillTopic(ctx, tailTopic, r.records)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	ranks, err := r.takeTurns(ctx, "tail", r.tailTools(), nil)
	if err != nil {
		return err
	}
	t := toolTable(fmt.Sprintf("Tail: %s events of %d bytes in %d partitions", count(float64(r.records)), recordSize, recordPartitions),
		ranks, r.records, recordSize)
	t.print(r.out)
	return nil
}

// kcatWide are the settings under which kcat's queues don't run empty.
func kcatWide() []string {
	return []string{
		"-X", "queued.min.messages=1000000", "-X", "queued.max.messages.kbytes=1048576",
		"-X", "fetch.message.max.bytes=10485760", "-X", "fetch.max.bytes=104857600", "-X", "check.crcs=false",
	}
}

func (r *rig) tailTools() []tool {
	tail := func(extra ...string) []string {
		return append([]string{r.todoctl, "events", "tail", tailTopic, "--brokers", r.broker.addr, "-o", "start", "-e"}, extra...)
	}
	kcat := func(extra ...string) []string {
		return append([]string{"kcat", "-b", r.broker.addr, "-C", "-t", tailTopic, "-o", "beginning", "-e", "-q"}, extra...)
	}
	noKcat := missing("kcat")
	return []tool{
		{name: "bare poll loop", argv: []string{r.self, "child-poll", r.broker.addr, tailTopic, strconv.Itoa(r.records)}},
		{name: "todoctl, values", argv: tail("--output", "value"), goal: "≥ 0.95 ×, ≥ 1.7 × kcat"},
		{name: "todoctl, JSON", argv: tail("--output", "json"), goal: "≥ 0.5 ×, ≥ 3 × kcat -J"},
		{name: "todoctl, JSON, --type (1 in 100)", argv: tail("--output", "json", "--type", "task.completed")},
		{name: "todoctl, JSON, --task (1 in 1,000)", argv: tail("--output", "json", "--task", "123"), goal: "≥ 0.75 ×"},
		{name: "kcat", argv: kcat(), lacks: noKcat},
		{name: "kcat, wide queues", argv: kcat(kcatWide()...), lacks: noKcat},
		{name: "kcat -J, wide queues", argv: kcat(append(kcatWide(), "-J")...), lacks: noKcat},
		{name: "kcat, wide queues, into grep (1 in 100)", argv: []string{"sh", "-c", strings.Join(kcat(kcatWide()...), " ") + " | grep task.completed"}, lacks: noKcat},
	}
}
