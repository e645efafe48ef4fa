package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// lightLoad is what one person's client and some scripts ask, a second.
const lightLoad = 50

// measureLatency measures the time from an answer to its event being readable.
func measureLatency(ctx context.Context, r *rig) error {
	for _, db := range r.databases {
		if err := r.measureLatencyOn(ctx, db); err != nil {
			return fmt.Errorf("%s: %w", db.name(), err)
		}
	}
	return nil
}

func (r *rig) measureLatencyOn(ctx context.Context, db database) (err error) {
	const name = "bench_latency"
	if err := prepare(ctx, db, name); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.drop(context.WithoutCancel(ctx), name)) }()
	b, err := r.relaying(ctx, db.url(name))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	capacity, err := r.capacity(ctx, db, b)
	if err != nil {
		return err
	}
	levels := []struct {
		name, goal string
		rate       float64
		tallies    []tally
	}{
		{"light load", "p99 < 25 ms", min(lightLoad, capacity), nil},
		{"10 % of capacity", "", capacity / 10, nil},
		{"80 % of capacity", "", capacity * 8 / 10, nil},
	}
	for round := range r.rounds {
		for i := range levels {
			level := &levels[i]
			if err := db.settle(ctx); err != nil {
				return err
			}
			t, _, err := r.load(ctx, load{addr: b.addr, clients: r.clients, warm: warm, length: r.round, rate: level.rate, broker: r.broker.addr})
			if err != nil {
				return err
			}
			level.tallies = append(level.tallies, t)
			r.note("latency, %s, round %d of %d: %s: p99 %.1f ms", db.name(), round+1, r.rounds, level.name, t.Delay.P99)
		}
	}
	t := table{
		title: fmt.Sprintf("From 2xx to readable, %s, capacity %s changes/s", db.name(), count(capacity)),
		head:  []string{"", "changes/s", "p50 ms", "p99 ms", "goal", "p50 of the answer ms", "p99", "not readable after 30 s"},
	}
	for _, level := range levels {
		each := func(figure func(tally) float64) spread { return eachOf(level.tallies, figure) }
		t.add(level.name, each(func(t tally) float64 { return t.Rate }).counts(),
			each(func(t tally) float64 { return t.Delay.P50 }).tenths(), each(func(t tally) float64 { return t.Delay.P99 }).tenths(), level.goal,
			each(func(t tally) float64 { return t.Answer.P50 }).tenths(), each(func(t tally) float64 { return t.Answer.P99 }).tenths(),
			count(slices.Max(each(func(t tally) float64 { return float64(t.Missing) }))))
	}
	t.print(r.out)
	return nil
}

func eachOf(tallies []tally, figure func(tally) float64) spread {
	var s spread
	for _, t := range tallies {
		s = append(s, figure(t))
	}
	return s
}

// capacity is how many changes a second go all the way to the topic while the
// clients ask without a pause.
func (r *rig) capacity(ctx context.Context, db database, b *backend) (float64, error) {
	t, _, err := r.load(ctx, load{addr: b.addr, clients: r.clients, warm: warm, length: r.round, broker: r.broker.addr})
	if err != nil {
		return 0, err
	}
	r.note("latency, %s: at most %s changes/s are answered, %s/s readable meanwhile", db.name(), count(t.Rate), count(float64(t.Readable)/t.Seconds))
	return float64(t.Readable) / t.Seconds, nil
}
