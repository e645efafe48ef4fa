package publish

import (
	"context"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// memory bounds the payloads that are read ahead, in bytes.
const memory = 32 << 20

// A term is one time of leading. Its state belongs to the goroutine of run; what
// waits for the outbox or the publisher happens in other goroutines, which hand
// the rest of their work back through done.
type term struct {
	*Relay
	done    chan func()
	running int // goroutines that will send to done

	lanes map[string]*lane
	order []*lane // as they came up
	turn  int     // the lane that is asked first
	calls int     // in flight

	// held are the rows that Heads is to leave out: waiting in a lane, in flight, or
	// acknowledged and not marked yet.
	held map[int64]struct{}

	marks    gate           // the outbox, for writing
	acked    []int64        // to be marked
	failures []task.Failure // to be marked
	settling bool

	reads    gate // the outbox, for reading
	fetching bool
	dirty    bool // the outbox may have something new
	full     bool // it had more than was asked for
	poll     time.Duration
	nextPoll time.Time
	average  int // bytes of a payload

	pruning   bool
	nextPrune time.Time

	refusals  seldom
	stoppedAt time.Time // when the latest outage began
}

func newTerm(r *Relay) *term {
	return &term{
		Relay:     r,
		done:      make(chan func()),
		lanes:     map[string]*lane{},
		held:      map[int64]struct{}{},
		dirty:     true,
		poll:      r.o.PollMin,
		average:   task.MaxEvent,
		nextPrune: time.Now().Add(min(time.Minute, r.o.PruneEvery)),
	}
}

// run relays until stop or lead ends.
func (t *term) run(stop, lead context.Context) {
	// alive ends when the lead is lost, and not when a clean stop begins.
	alive, kill := context.WithCancel(context.WithoutCancel(stop))
	defer kill()
	reads, endReads := context.WithCancel(alive)
	defer endReads()
	calls, endCalls := context.WithCancel(alive)
	defer endCalls()

	wake := t.o.Wake
	timer := time.NewTimer(0)
	defer timer.Stop()
	for stop.Err() == nil && lead.Err() == nil {
		now := time.Now()
		t.dispatch(calls, now)
		t.settle(alive, now)
		t.fetch(reads, now)
		t.prune(reads, now)
		timer.Reset(t.pause(time.Now()))
		select {
		case rest := <-t.done:
			t.running--
			rest()
		case _, open := <-wake:
			t.dirty = true
			if !open {
				wake = nil
			}
		case <-timer.C:
		case <-stop.Done():
		case <-lead.Done():
		}
	}
	if lead.Err() == nil {
		endReads()
		t.finish(alive, endCalls)
	}
	kill()
	for ; t.running > 0; t.running-- {
		<-t.done
	}
}

// spawn runs work in a goroutine and what it returns in the term's own.
func (t *term) spawn(work func() func()) {
	t.running++
	go func() { t.done <- work() }()
}

// finish waits for the calls in flight and marks what was acknowledged.
func (t *term) finish(alive context.Context, endCalls func()) {
	timer := time.NewTimer(t.o.Drain)
	defer timer.Stop()
	over := false
	for t.calls > 0 || t.settling || len(t.acked)+len(t.failures) > 0 {
		t.settle(alive, time.Now())
		retry := time.NewTimer(t.pause(time.Now()))
		select {
		case rest := <-t.done:
			t.running--
			rest()
		case <-retry.C:
		case <-timer.C:
			if over {
				t.log.Warn("relay stopped before all events were marked, some may be repeated", "events", t.unmarked())
				return
			}
			over = true
			endCalls()
			timer.Reset(markTimeout)
		}
		retry.Stop()
	}
}

// dispatch makes the calls that can be made now.
func (t *term) dispatch(ctx context.Context, now time.Time) {
	for t.calls < t.o.Calls && !t.marks.shut && !t.crowded() {
		c := t.next(now)
		if c == nil {
			return
		}
		t.send(ctx, c)
	}
}

// crowded tells that the outbox doesn't keep up with the marks.
func (t *term) crowded() bool { return t.unmarked() >= 4*t.o.Calls*t.o.Batch }

// unmarked is how many rows are in flight or wait for their mark.
func (t *term) unmarked() int { return len(t.held) - t.ready() }

// next asks the lanes in turn.
func (t *term) next(now time.Time) *call {
	// A call that isn't full waits until none is in flight: events gather meanwhile,
	// which makes fewer and larger calls of them.
	partial := t.calls == 0
	for range t.order {
		l := t.order[t.turn%len(t.order)]
		t.turn++
		if c := l.next(now, t.o.Batch, partial); c != nil {
			c.began = now
			return c
		}
	}
	return nil
}

func (t *term) send(ctx context.Context, c *call) {
	batch := make([]Message, len(c.events))
	for i, e := range c.events {
		batch[i] = message(e)
	}
	t.calls++
	t.spawn(func() func() {
		errs := t.o.Publisher.Publish(ctx, c.lane.topic, batch)
		over := t.o.Now()
		return func() {
			t.calls--
			c.lane.done(c)
			t.judge(c, errs, over)
		}
	})
}

// ready is how many events wait in the lanes.
func (t *term) ready() int {
	n := 0
	for _, l := range t.order {
		n += l.size()
	}
	return n
}

// pause is the time until something is due. What is overdue waits for a call or a
// request to end, not for a time.
func (t *term) pause(now time.Time) time.Duration {
	d := t.o.PollMax
	due := func(at time.Time) {
		if at.After(now) {
			d = min(d, at.Sub(now))
		}
	}
	due(t.nextPoll)
	due(t.nextPrune)
	due(t.marks.until)
	due(t.reads.until)
	for _, l := range t.order {
		due(l.gate.until)
	}
	return d
}
