package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/todoctl/todoctl/internal/store"
)

const (
	fullName  = "bench_full"  // holds the prepared outbox
	drainName = "bench_drain" // its copy, drained in a turn
)

// measureRelay measures how fast serve empties an outbox.
func measureRelay(ctx context.Context, r *rig) error {
	for _, db := range r.databases {
		if err := r.measureRelayOn(ctx, db); err != nil {
			return fmt.Errorf("%s: %w", db.name(), err)
		}
	}
	return nil
}

func (r *rig) measureRelayOn(ctx context.Context, db database) (err error) {
	if err := r.fill(ctx, db, fullName, r.events); err != nil {
		return err
	}
	defer func() {
		clean := context.WithoutCancel(ctx)
		err = errors.Join(err, db.drop(clean, fullName), db.drop(clean, drainName))
	}()
	standings, err := r.interleave(ctx, "relay", db, []contender{
		{"bare bulk calls", r.bulkTurn},
		{"relay of todoctl serve", func(ctx context.Context) (turn, error) { return r.drainTurn(ctx, db) }},
	})
	if err != nil {
		return err
	}
	bare, relay := standings[0].rates(), standings[1].rates()
	t := table{
		title: fmt.Sprintf("Relay, %s: %s events, two a task", db.name(), count(float64(r.events))),
		head:  []string{"", "events/s", "to the bare calls", "goal"},
	}
	t.add(standings[0].name+fmt.Sprintf(", %d events each, %d at a time", bulkEvents, bulkCalls), bare.counts(), "", "")
	t.add(standings[1].name, relay.counts(), ratios(relay, bare).times(), "≥ 0.80 ×")
	t.print(r.out)
	cpu := cpuTable("CPU of one event in µs, "+db.name(), standings)
	cpu.print(r.out)
	return nil
}

func (r *rig) bulkTurn(ctx context.Context) (turn, error) {
	meter := startMeter(map[string]int{"sidecar": r.sidecar.PID(), "broker": r.broker.cmd.Process.Pid})
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(r.sidecar.GRPCPort()))
	var t tally
	_, err := r.ask(ctx, &t, "child-bulk", addr, "pubsub-kafka", strconv.Itoa(r.events))
	if err != nil {
		return turn{}, err
	}
	cpu := meter.each(t.All)
	cpu["publisher"] = t.CPU
	return turn{rate: t.Rate, cpu: cpu}, nil
}

// drainTurn starts serve on a copy of the prepared outbox and stops the time from
// the first event on the topic until the outbox is empty. What serve needs to start
// isn't the relay's.
func (r *rig) drainTurn(ctx context.Context, db database) (_ turn, err error) {
	if err := db.clone(ctx, fullName, drainName); err != nil {
		return turn{}, err
	}
	if err := db.settle(ctx); err != nil {
		return turn{}, err
	}
	before, err := records(ctx, r.topic)
	if err != nil {
		return turn{}, err
	}
	b, err := r.relaying(ctx, db.url(drainName))
	if err != nil {
		return turn{}, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	pids := map[string]int{"publisher": b.cmd.Process.Pid, "sidecar": r.sidecar.PID(), "broker": r.broker.cmd.Process.Pid}
	for part, pid := range db.pids() {
		pids[part] = pid
	}
	meter := startMeter(pids)
	first, err := r.published(ctx, b, before+1)
	if err != nil {
		return turn{}, err
	}
	began := time.Now()
	if _, err := r.published(ctx, b, before+int64(r.events)); err != nil {
		return turn{}, err
	}
	if err := r.empty(ctx, b, db.url(drainName)); err != nil {
		return turn{}, err
	}
	n := float64(r.events) - float64(first-before)
	return turn{rate: n / time.Since(began).Seconds(), cpu: meter.each(r.events)}, nil
}

// published waits until the topic holds so many records, and returns how many.
func (r *rig) published(ctx context.Context, b *backend, want int64) (n int64, err error) {
	failed := b.until(ctx, 5*time.Minute, fmt.Sprintf("%d records on the topic", want), func() bool {
		n, err = records(ctx, r.topic)
		return err != nil || n >= want
	})
	return n, errors.Join(failed, err)
}

// empty waits until nothing waits in the outbox.
func (r *rig) empty(ctx context.Context, b *backend, url string) (err error) {
	s, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	var waiting int64
	failed := b.until(ctx, time.Minute, "the outbox is empty", func() bool {
		waiting, err = pending(ctx, s)
		return err != nil || waiting == 0
	})
	return errors.Join(failed, err)
}
