// Package load makes calls from several clients at a time, as fast as they are
// answered or at a rate, and measures how long the answers take.
//
// With a rate, a call's time counts from when it was due, not from when a client
// was free to make it: a service that stalls is charged for all the calls that had
// to wait meanwhile (no coordinated omission). Without a rate it counts from the
// call itself, and tells nothing of what a steady load would meet.
//
// It knows nothing of what the calls do.
package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// A Plan says how much is called, and how.
type Plan struct {
	Clients  int           // calls at a time
	Batch    int           // items of a call
	Items    int64         // end after so many; 0 is no limit
	Duration time.Duration // end after this time; 0 is no limit
	Rate     float64       // items a second, of all clients together; 0 is no limit

	// Send makes a call. A failing one ends the run.
	Send func(context.Context, Call) error

	// Progress, if set, is called about twice a second with the items so far.
	Progress func(items int64)
}

// A Call is one of many.
type Call struct {
	First int64     // the number of its first item, from 0
	Items int       // at least one
	Due   time.Time // what its time counts from
}

// A Tally is what a run came to.
type Tally struct {
	Items   int64 // of the calls that succeeded
	Elapsed time.Duration
	Times   Histogram // of each item
}

// Run makes the calls and returns when all are answered. When ctx ends it returns
// at once what was measured so far, and ctx's error.
func (p Plan) Run(ctx context.Context) (Tally, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	r := &run{Plan: p, begin: time.Now()}
	histograms := make([]Histogram, p.Clients)
	var clients sync.WaitGroup
	for i := range histograms {
		clients.Go(func() {
			if err := r.client(ctx, &histograms[i]); err != nil {
				stop(err)
			}
		})
	}
	over, told := make(chan struct{}), make(chan struct{})
	go func() { defer close(told); r.tell(over) }()
	clients.Wait()
	close(over)
	<-told

	t := Tally{Items: r.done.Load(), Elapsed: time.Since(r.begin)}
	for i := range histograms {
		t.Times.Merge(&histograms[i])
	}
	return t, context.Cause(ctx)
}

type run struct {
	Plan
	begin time.Time
	next  atomic.Int64 // the first item of the next call
	done  atomic.Int64
}

// client makes one call after the other.
func (r *run) client(ctx context.Context, times *Histogram) error {
	for {
		call, ok, err := r.take(ctx)
		if !ok || err != nil {
			return err
		}
		if err := r.Send(ctx, call); err != nil {
			if ctx.Err() != nil {
				err = ctx.Err() // it failed because it was ended
			}
			return err
		}
		times.Add(time.Since(call.Due), int64(call.Items))
		r.done.Add(int64(call.Items))
	}
}

// take waits for the next call to be due; ok is false when there is none.
func (r *run) take(ctx context.Context) (c Call, ok bool, err error) {
	c.First = r.next.Add(int64(r.Batch)) - int64(r.Batch)
	c.Items = r.Batch
	if r.Items > 0 {
		c.Items = int(min(int64(r.Batch), r.Items-c.First))
	}
	if c.Items <= 0 {
		return c, false, nil
	}
	c.Due = time.Now()
	if r.Rate > 0 {
		c.Due = r.begin.Add(time.Duration(float64(c.First) / r.Rate * float64(time.Second)))
	}
	if r.Duration > 0 && !c.Due.Before(r.begin.Add(r.Duration)) {
		return c, false, nil
	}
	return c, true, until(ctx, c.Due)
}

func until(ctx context.Context, due time.Time) error {
	if wait := time.Until(due); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func (r *run) tell(over <-chan struct{}) {
	if r.Progress == nil {
		return
	}
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
			r.Progress(r.done.Load())
		}
	}
}

// Check tells what of the plan can't be run.
func (p Plan) Check() error {
	switch {
	case p.Clients < 1 || p.Batch < 1:
		return errors.New("there must be a client, and an item in a call")
	case p.Items < 0 || p.Duration < 0 || p.Rate < 0:
		return errors.New("records, duration and rate can't be negative")
	case p.Items == 0 && p.Duration == 0:
		return errors.New("it would never end: say how many records, or how long")
	}
	return nil
}
