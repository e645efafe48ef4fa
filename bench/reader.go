package main

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/task"
)

// readableTimeout is how long after the last request an event may take to be
// readable before it counts as missing.
const readableTimeout = 30 * time.Second

// A reader reads the topic from its end on, as a consumer would, and notes when
// the event of a task could be read.
type reader struct {
	client *kgo.Client
	cancel func()
	over   chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	arrivals map[int64]time.Time // by task, of its first event
}

// startReader returns once the reader stands at the end of the topic.
func startReader(ctx context.Context, broker string) (*reader, error) {
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{broker}, ClientID: "bench"})
	if err != nil {
		return nil, err
	}
	ends, err := endOffsets(ctx, client, task.Topic)
	if err != nil {
		client.Close()
		return nil, err
	}
	at := map[int32]kgo.Offset{}
	for partition, end := range ends {
		at[partition] = kgo.NewOffset().At(end)
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{task.Topic: at})
	ctx, cancel := context.WithCancel(ctx)
	r := &reader{client: client, cancel: cancel, over: make(chan struct{}), arrivals: map[int64]time.Time{}}
	go r.run(ctx)
	return r, nil
}

func (r *reader) run(ctx context.Context) {
	defer close(r.over)
	for ctx.Err() == nil {
		fetches := r.client.PollFetches(ctx)
		now := time.Now()
		r.mu.Lock()
		fetches.EachRecord(func(record *kgo.Record) {
			id, err := strconv.ParseInt(string(record.Key), 10, 64)
			if _, known := r.arrivals[id]; err == nil && !known {
				r.arrivals[id] = now
			}
		})
		r.mu.Unlock()
	}
}

// stop waits until so many events have arrived, or for readableTimeout, and returns
// when each of them did.
func (r *reader) stop(ctx context.Context, events int) map[int64]time.Time {
	_ = until(ctx, nil, readableTimeout, "all events readable", func() bool { // those that aren't there are counted as missing
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.arrivals) >= events
	})
	r.cancel()
	<-r.over
	r.client.Close()
	return r.arrivals
}

// match holds the answers against the arrivals.
func (l *load) match(t *tally, workers []worker, begin time.Time, arrivals map[int64]time.Time) {
	var delays []time.Duration
	for _, w := range workers {
		for _, a := range w.answers {
			at, ok := arrivals[a.id]
			switch {
			case !ok:
				t.Missing++
			case l.counts(a.came, begin):
				delays = append(delays, at.Sub(a.came))
			}
		}
	}
	for _, at := range arrivals {
		if l.counts(at, begin) {
			t.Readable++
		}
	}
	t.Delay = distribution(delays)
}

func distribution(times []time.Duration) delays {
	slices.Sort(times)
	milliseconds := func(q float64) float64 { return quantile(times, q).Seconds() * 1e3 }
	return delays{P50: milliseconds(.50), P99: milliseconds(.99)}
}
