//go:build failpoint

package publish

import (
	"context"
	"sync"

	"github.com/todoctl/todoctl/internal/failpoint"
	"github.com/todoctl/todoctl/internal/task"
)

// withFailpoints puts the relay's failpoints around outbox and publisher, and makes
// the relay wrong where TODOCTL_MUTATION says so:
//
//	skip-mark         published events are never marked
//	mark-before-ack   events are marked before they are published
//	order-by-id       all waiting events go out by their ids, not the heads of tasks
func withFailpoints(o RelayOptions) RelayOptions {
	points := &failing{mutation: failpoint.Mutation(), outbox: o.Outbox, publisher: o.Publisher, rows: map[string]int64{}}
	o.Outbox, o.Publisher = failingOutbox{o.Outbox, points}, failingPublisher{points}
	return o
}

// A failing is what the two wrappers share.
type failing struct {
	mutation  string
	outbox    Outbox
	publisher Publisher

	mu   sync.Mutex
	rows map[string]int64 // of the events that Heads returned, by id; for mark-before-ack
}

type failingOutbox struct {
	Outbox
	*failing
}

// A waiting outbox can do what order-by-id needs; the store can in this build.
type waiting interface {
	WaitingByID(ctx context.Context, limit int, held ...int64) ([]task.Event, error)
}

func (f failingOutbox) Heads(ctx context.Context, limit int, held ...int64) ([]task.Event, error) {
	heads := f.Outbox.Heads
	if f.mutation == "order-by-id" {
		heads = f.Outbox.(waiting).WaitingByID
	}
	events, err := heads(ctx, limit, held...)
	if f.mutation == "mark-before-ack" {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, e := range events {
			f.rows[e.ID] = e.Row
		}
	}
	return events, err
}

func (f failingOutbox) MarkPublished(ctx context.Context, rows []int64) error {
	if err := failpoint.Hit("before-mark"); err != nil {
		return err
	}
	if f.mutation == "skip-mark" {
		return nil
	}
	return f.Outbox.MarkPublished(ctx, rows)
}

type failingPublisher struct{ *failing }

func (f failingPublisher) Publish(ctx context.Context, topic string, batch []Message) []error {
	if f.mutation == "mark-before-ack" {
		if err := f.outbox.MarkPublished(ctx, f.rowsOf(batch)); err != nil {
			return all(len(batch), err)
		}
	}
	if err := failpoint.Hit("before-publish"); err != nil {
		return all(len(batch), err)
	}
	errs := f.publisher.Publish(ctx, topic, batch)
	if err := failpoint.Hit("after-ack"); err != nil {
		return all(len(batch), err)
	}
	return errs
}

func (f *failing) rowsOf(batch []Message) []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	rows := make([]int64, len(batch))
	for i, m := range batch {
		rows[i] = f.rows[m.ID]
	}
	return rows
}
