package smoke

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// maxReserve bounds the part of the timeout, a fifth, that is kept for cleaning up.
const maxReserve = 5 * time.Second

// A step is a hop before it has been tried.
type step struct {
	name string
	next string // the command that tells more when it fails
	do   func(ctx context.Context) (detail string, err error)
}

// A skipError says why there is nothing to see of a hop.
type skipError struct{ why string }

func (e skipError) Error() string { return e.why }

// A fault is an error that knows better than its hop what to do next.
type fault struct {
	error
	next string
}

func (f fault) Unwrap() error { return f.error }

// A probe is one run.
type probe struct {
	Options
	token  string    // in the task's title, or the event's id
	hop    time.Time // when the present hop began
	added  bool      // the API was asked for a task
	taskID int64
	record *kgo.Record // once it was read back
	result Result
}

// Run sends a probe and follows it. The error is that of a context that ended before
// the probe was through; the Result tells how far it came all the same.
func Run(ctx context.Context, o Options) (Result, error) {
	began := time.Now()
	p := &probe{Options: o, token: rand.Text(), result: Result{OK: true, Topic: o.Topic, Partition: -1, Offset: -1}}
	reserve := min(o.Timeout/5, maxReserve)
	hops, cancel := context.WithTimeout(ctx, o.Timeout-reserve)
	defer cancel()
	for _, s := range p.way() {
		p.take(hops, s)
	}
	err := ctx.Err()
	p.cleanUp(ctx, reserve)
	p.result.Seconds = time.Since(began).Seconds()
	return p.result, err
}

// way are the hops, without the cleaning up.
func (p *probe) way() []step {
	steps := []step{{"broker", "todoctl doctor --only broker,topics", p.position}}
	if p.API != nil {
		steps = append(steps,
			step{"api", "todoctl doctor --only environment", p.addTask},
			step{"outbox", "todoctl outbox status", p.leaveOutbox})
	} else {
		steps = append(steps, step{"sidecar", "todoctl doctor --only sidecar", p.publish})
	}
	steps = append(steps, step{"topic", "todoctl doctor --only broker,topics,sidecar", p.readBack})
	if p.Group != "" {
		steps = append(steps, step{"consumer", "todoctl groups describe " + p.Group, p.passGroup})
	}
	return steps
}

// take tries a hop, unless one before it failed.
func (p *probe) take(ctx context.Context, s step) {
	if !p.result.OK {
		p.result.Hops = append(p.result.Hops, Hop{Name: s.name, Status: NotRun})
		return
	}
	p.result.Hops = append(p.result.Hops, p.try(ctx, s))
}

func (p *probe) try(ctx context.Context, s step) Hop {
	if p.Began != nil {
		p.Began(s.name)
	}
	p.hop = time.Now()
	detail, err := s.do(ctx)
	h := Hop{Name: s.name, Status: Passed, Detail: detail, Millis: float64(time.Since(p.hop).Microseconds()) / 1000}
	var skip skipError
	switch {
	case err == nil:
	case errors.As(err, &skip):
		h.Status, h.Detail = Skipped, skip.why
	case errors.Is(ctx.Err(), context.Canceled):
		p.result.OK, h.Status, h.Error = false, Failed, "interrupted"
	default:
		p.result.OK, h.Status, h.Error, h.Next = false, Failed, err.Error(), s.next
		var f fault
		if errors.As(err, &f) {
			h.Next = f.next
		}
	}
	return h
}

// cleanUp deletes the probe task, also when it isn't known whether it was made.
func (p *probe) cleanUp(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	p.result.Hops = append(p.result.Hops, p.try(ctx, step{"cleanup", "todoctl tasks list --user " + User, p.sweep}))
}

func (p *probe) sweep(ctx context.Context) (string, error) {
	switch {
	case p.API == nil:
		return "", skipError{"an event stays until the topic's retention takes it"}
	case !p.added:
		return "", skipError{"no task was added"}
	}
	n, err := p.API.Sweep(ctx, p.title())
	switch {
	case err != nil:
		return "", fmt.Errorf("the probe task %q may be left: %w", p.title(), err)
	case n == 0:
		return "no task was left", nil
	}
	return fmt.Sprintf("task %d deleted", p.taskID), nil
}

// waited is how long the present hop has been waited for, in words.
func (p *probe) waited() string {
	return fmt.Sprintf("waited %.1f s", time.Since(p.hop).Seconds())
}

func (p *probe) title() string { return TitlePrefix + p.token }
