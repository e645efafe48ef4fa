package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/todoctl/todoctl/internal/task"
)

const (
	// maxGroup is the most changes that one transaction takes.
	maxGroup = 512

	// maxBehind is the weight of what a transaction takes of the requests that nobody
	// waits for, and maxBeside when somebody's change is in it: few enough that the
	// next change doesn't wait long, enough that they never stand still.
	maxBehind = 256
	maxBeside = 32

	// rowsOfWeight is how many marks of published events weigh as much as a request.
	rowsOfWeight = 8
)

var errClosed = errors.New("the store is closed")

// A request is a write that waits for its turn: a change, the handling of an event, what
// it owes, what became of that, marks, or a claim of reminders.
type request struct {
	change    *task.Change // also of an event that is handled
	receipt   *receipt
	owed      []task.Delivery
	settled   *settlement
	claim     *claim
	published []int64
	failures  []task.Failure

	result   task.Result
	accepted []task.Delivery
	err      error
	done     chan struct{} // closed when the answer stands
}

// urgent tells whether somebody waits for the answer: the changes of the API come before
// what is done with events and notifications.
func (r *request) urgent() bool { return r.change != nil && r.receipt == nil }

// weight is how much a request costs.
func (r *request) weight() int { return 1 + (len(r.published)+len(r.failures))/rowsOfWeight }

// A group gathers the requests that come while a transaction is under way and
// writes them with the next one, urgent ones first. A lone request is written at once.
type group struct {
	write func(context.Context, []*request)
	done  chan struct{}

	mu      sync.Mutex
	arrived sync.Cond // of urgent, others or closed
	urgent  []*request
	others  []*request
	closed  bool
}

// startGroup starts the goroutine that writes; close waits for it. ctx gives the
// writes their values.
func startGroup(ctx context.Context, write func(context.Context, []*request)) *group {
	g := &group{write: write, done: make(chan struct{})}
	g.arrived.L = &g.mu
	go g.run(ctx)
	return g
}

func (g *group) run(ctx context.Context) {
	defer close(g.done)
	for {
		requests := g.take()
		if requests == nil {
			return
		}
		g.write(ctx, requests)
		for _, r := range requests {
			close(r.done)
		}
		// Those who were just answered may have their next request ready: with
		// them the next transaction is a full one.
		runtime.Gosched()
	}
}

// take waits for requests; nil means that the group is closed and empty.
func (g *group) take() []*request {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.urgent)+len(g.others) == 0 {
		if g.closed {
			return nil
		}
		g.arrived.Wait()
	}
	n, room := min(len(g.urgent), maxGroup), maxBehind
	if n > 0 {
		room = maxBeside
	}
	m := 0
	for m < len(g.others) && room > 0 {
		room -= g.others[m].weight()
		m++
	}
	taken := slices.Concat(g.urgent[:n], g.others[:m])
	g.urgent, g.others = slices.Delete(g.urgent, 0, n), slices.Delete(g.others, 0, m)
	return taken
}

// queue is where a request waits.
func (g *group) queue(r *request) *[]*request {
	if r.urgent() {
		return &g.urgent
	}
	return &g.others
}

// do has a request written and waits for the answer. When ctx ends first, a
// request that still waits is withdrawn; of one under way the outcome stays
// unknown.
func (g *group) do(ctx context.Context, r *request) error {
	r.done = make(chan struct{})
	if err := g.add(ctx, r); err != nil {
		return fmt.Errorf("%w: %w", task.ErrUnavailable, err)
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
	}
	if g.withdraw(r) {
		return fmt.Errorf("%w: its turn didn't come in time: %w", task.ErrUnavailable, ctx.Err())
	}
	return fmt.Errorf("%w: no answer in time, it may have been made: %w", task.ErrUnavailable, ctx.Err())
}

func (g *group) add(ctx context.Context, r *request) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return errClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	queue := g.queue(r)
	*queue = append(*queue, r)
	g.arrived.Signal()
	return nil
}

// withdraw reports whether the request was still waiting.
func (g *group) withdraw(r *request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	queue := g.queue(r)
	i := slices.Index(*queue, r)
	if i < 0 {
		return false
	}
	*queue = slices.Delete(*queue, i, i+1)
	return true
}

// close lets what waits be written, refuses what comes, and waits for the end.
func (g *group) close() {
	g.mu.Lock()
	g.closed = true
	g.arrived.Signal()
	g.mu.Unlock()
	<-g.done
}
