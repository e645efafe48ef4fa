package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/todoctl/todoctl/internal/kafka"
)

// measureMemory measures what serve holds in memory with a full outbox.
func measureMemory(ctx context.Context, r *rig) error {
	t := table{
		title: fmt.Sprintf("Memory of todoctl serve with %s rows pending, in MB", count(float64(r.pending))),
		head:  []string{"", "broker away, median", "most", "draining, median", "most", "goal", "events/s"},
	}
	for _, db := range r.databases {
		row, err := r.measureMemoryOn(ctx, db)
		if err != nil {
			return fmt.Errorf("%s: %w", db.name(), err)
		}
		t.add(append([]string{db.name()}, row...)...)
	}
	t.print(r.out)
	return nil
}

// measureMemoryOn starts serve with a sidecar of its own while no broker is there,
// and then the broker.
func (r *rig) measureMemoryOn(ctx context.Context, db database) (_ []string, err error) {
	const name = "bench_pending"
	if err := r.fill(ctx, db, name, r.pending); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.drop(context.WithoutCancel(ctx), name)) }()
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	daprd, err := r.findDaprd()
	if err != nil {
		return nil, err
	}
	var late *broker // stopped after serve, which waits for what is in flight
	defer func() {
		if late != nil {
			err = errors.Join(err, late.stop())
		}
	}()
	b, err := r.serve(ctx, db.url(name), []string{"DAPR_ENABLED=true"}, "--brokers", addr, "--sidecar", "spawn", "--daprd", daprd)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	away, err := r.watch(ctx, b)
	if err != nil {
		return nil, err
	}
	if late, err = r.startBroker(ctx, filepath.Join(r.dir, "late-"+db.name()), addr); err != nil {
		return nil, err
	}
	draining, rate, err := r.watchDrain(ctx, b, addr)
	if err != nil {
		return nil, err
	}
	r.note("memory, %s: broker away %.0f MB, draining %.0f MB", db.name(), slices.Max(away), slices.Max(draining))
	return []string{count(away.median()), count(slices.Max(away)), count(draining.median()), count(slices.Max(draining)), "< 150", count(rate)}, nil
}

// watchDrain waits for the first event on the topic and watches serve from then on.
func (r *rig) watchDrain(ctx context.Context, b *backend, broker string) (spread, float64, error) {
	topic, err := kafka.NewClient(kafka.Options{Brokers: []string{broker}, ClientID: "bench"})
	if err != nil {
		return nil, 0, err
	}
	defer topic.Close()
	var n int64
	if err := b.until(ctx, time.Minute, "the first event on the topic", func() bool {
		n, err = records(ctx, topic)
		return err != nil || n > 0
	}); err != nil {
		return nil, 0, err
	}
	began := time.Now()
	held, err := r.watch(ctx, b)
	if err != nil {
		return nil, 0, err
	}
	after, err := records(ctx, topic)
	return held, float64(after-n) / time.Since(began).Seconds(), err
}

// watch notes the memory of serve for two turns, while its metrics are read.
func (r *rig) watch(ctx context.Context, b *backend) (spread, error) {
	var held spread
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(2 * r.round); time.Now().Before(end); {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-b.ended:
			return nil, fmt.Errorf("serve ended: %w", b.failure())
		case <-tick.C:
		}
		if len(held)%10 == 0 && !answers(ctx, b.addr, "/metrics") {
			return nil, errors.New("serve doesn't show its metrics")
		}
		now, err := memory(b.cmd.Process.Pid, "VmRSS")
		if err != nil {
			return nil, err
		}
		held = append(held, now)
	}
	peak, err := memory(b.cmd.Process.Pid, "VmHWM")
	return append(held, peak), err
}
