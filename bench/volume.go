package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
)

const (
	volumeTopic = "bench-volume"
	volumeCopy  = "bench-volume-copy"
)

// measureVolume measures what reading and replaying a large topic hold in memory.
func measureVolume(ctx context.Context, r *rig) (err error) {
	n := int(r.volume * 1e6 / recordSize)
	drop, err := r.fillTopic(ctx, volumeTopic, n)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	dropCopy, err := r.newTopic(ctx, volumeCopy)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dropCopy()) }()
	t := table{
		title: fmt.Sprintf("Memory on a topic of %s MB, %s events", count(r.volume), count(float64(n))),
		head:  []string{"", "most memory MB", "goal", "s", "MB/s"},
	}
	for _, c := range []struct {
		tool
		goal string
	}{
		{tool{name: "bare poll loop", argv: []string{r.self, "child-poll", r.broker.addr, volumeTopic, strconv.Itoa(n)}}, ""},
		{tool{name: "todoctl events tail, JSON", argv: []string{r.todoctl, "events", "tail", volumeTopic, "--brokers", r.broker.addr, "-o", "start", "-e", "--output", "json"}}, "< 100"},
		{tool{name: "todoctl events replay", argv: []string{
			r.todoctl, "events", "replay", volumeTopic, "--to", volumeCopy, "--brokers", r.broker.addr, "--state", filepath.Join(r.dir, "replay.json"),
		}}, "< 100"},
	} {
		s, err := r.show(ctx, c.tool)
		if err != nil {
			return err
		}
		r.note("volume: %s: %.0f MB in %.1f s", c.name, s.memory, s.seconds)
		t.add(c.name, count(s.memory), c.goal, fmt.Sprintf("%.1f", s.seconds), count(r.volume/s.seconds))
	}
	if err := r.checkCount(ctx, volumeCopy, n); err != nil {
		return err
	}
	t.print(r.out)
	return nil
}
