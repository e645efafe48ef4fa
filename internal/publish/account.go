package publish

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// settle writes down what is known of events, one transaction after another: what
// becomes known meanwhile goes together into the next.
func (t *term) settle(ctx context.Context, now time.Time) {
	if t.settling || !t.marks.free(now) || len(t.acked)+len(t.failures) == 0 {
		return
	}
	acked, failures := t.acked, t.failures
	t.acked, t.failures, t.settling = nil, nil, true
	t.spawn(func() func() {
		ctx, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		var err error
		var marked []int64
		if len(acked) > 0 {
			if err = t.o.Outbox.MarkPublished(ctx, acked); err == nil {
				marked, acked = acked, nil
			}
		}
		if err == nil && len(failures) > 0 {
			if err = t.o.Outbox.MarkFailed(ctx, failures); err == nil {
				marked, failures = append(marked, rows(failures)...), nil
			}
		}
		return func() {
			t.settling = false
			t.acked = append(acked, t.acked...)
			t.failures = append(failures, t.failures...)
			t.release(marked)
			t.wrote(err, now)
		}
	})
}

func rows(failures []task.Failure) []int64 {
	rows := make([]int64, len(failures))
	for i, f := range failures {
		rows[i] = f.Row
	}
	return rows
}

// release lets go of rows that the outbox knows all about. The next events of
// their tasks may have become heads.
func (t *term) release(rows []int64) {
	for _, row := range rows {
		delete(t.held, row)
	}
	if len(rows) > 0 {
		t.dirty = true
	}
}

// wrote takes note of how a mark went, and logs a change.
func (t *term) wrote(err error, began time.Time) {
	switch since := t.marks.since; {
	case err != nil && t.marks.fail(time.Now(), began, outagePace()):
		t.log.Warn("outbox takes no marks, relay waits", "err", err)
	case err == nil && t.marks.pass():
		t.log.Info("outbox takes marks again", "away", time.Since(since))
	}
}

// read takes note of how Heads went, and logs a change.
func (t *term) read(err error, began time.Time) {
	switch since := t.reads.since; {
	case err != nil && t.reads.fail(time.Now(), began, outagePace()):
		t.log.Warn("outbox can't be read, relay waits", "err", err)
	case err == nil && t.reads.pass():
		t.log.Info("outbox can be read again", "away", time.Since(since))
	}
}

// fetch reads ahead when there is reason to.
func (t *term) fetch(ctx context.Context, now time.Time) {
	if t.fetching || !t.wantsFetch(now) {
		return
	}
	ready := t.ready()
	limit := max(t.window()-ready, t.o.Batch)
	held := slices.Collect(maps.Keys(t.held))
	t.fetching, t.dirty = true, false
	t.spawn(func() func() {
		bounded, cancel := context.WithTimeout(ctx, storeTimeout)
		defer cancel()
		events, err := t.o.Outbox.Heads(bounded, limit, held...)
		return func() {
			t.fetching = false
			t.take(events, limit)
			t.nextPoll = time.Now().Add(t.poll)
			if ctx.Err() == nil { // else the relay gave up, not the outbox
				t.read(err, now)
			}
		}
	})
}

func (t *term) wantsFetch(now time.Time) bool {
	switch {
	case t.reads.shut: // asking is what tells that it is back
		return t.reads.free(now)
	case t.ready() > t.window()/2, t.crowded():
		return false
	case t.full:
		return true
	default:
		return !now.Before(t.nextPoll) || t.dirty && t.calls == 0 && !t.stuck()
	}
}

// stuck tells that no lane takes anything at this time.
func (t *term) stuck() bool {
	for _, l := range t.order {
		if !l.gate.shut {
			return false
		}
	}
	return len(t.order) > 0
}

// window is how many events are read ahead: two rounds of calls, fewer when the
// events are large.
func (t *term) window() int {
	return min(2*t.o.Calls*t.o.Batch, max(t.o.Batch, memory/max(t.average, 1)))
}

// take sorts heads into their lanes.
func (t *term) take(events []task.Event, limit int) {
	size, ready := 0, t.ready()
	for _, e := range events {
		size += len(e.Payload)
		t.held[e.Row] = struct{}{}
		t.admit(e)
	}
	if len(events) > 0 {
		t.average = size / len(events)
	}
	t.poll = min(2*t.poll, t.o.PollMax)
	if len(events) > 0 {
		t.poll = t.o.PollMin
	}
	// When there was nothing but events of a topic that refuses them, the next
	// look waits for the poll: putting off a great many costs the database.
	t.full = len(events) >= limit && t.ready() > ready
}

func (t *term) admit(e task.Event) {
	l := t.lanes[e.Topic]
	if l == nil {
		l = &lane{topic: e.Topic}
		t.lanes[e.Topic] = l
		t.order = append(t.order, l)
	}
	if l.refused != nil && !l.gate.free(time.Now()) && !l.gate.trying {
		t.putOff(e, l.refused, time.Until(l.gate.until), false)
		return
	}
	l.put(e.Attempts > 0, e)
}

// prune deletes what was published long ago, now and then.
func (t *term) prune(ctx context.Context, now time.Time) {
	if t.pruning || now.Before(t.nextPrune) {
		return
	}
	t.pruning = true
	t.spawn(func() func() {
		total, err := t.pruneAll(ctx)
		return func() {
			t.pruning = false
			t.nextPrune = time.Now().Add(t.o.PruneEvery)
			switch {
			case err != nil && ctx.Err() == nil:
				t.log.Warn("published events not pruned", "err", err)
			case total > 0:
				t.log.Info("published events pruned", "events", total)
			}
		}
	})
}

func (t *term) pruneAll(ctx context.Context) (int, error) {
	before := t.o.Now().Add(-t.o.Retention)
	for total := 0; ; {
		n, err := t.o.Outbox.Prune(ctx, before)
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}
