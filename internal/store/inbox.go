package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/todoctl/todoctl/internal/task"
)

// A receipt says that a consumer has handled an event.
type receipt struct{ consumer, event string }

// Handle records that a consumer has handled an event and makes the change that the
// event calls for, nil for none, in one transaction: once, however often the event
// comes. fresh is false when it had been handled before; nothing is done then. The
// errors are those of Change, and after one the event counts as not handled.
//
// A change of task.Task.Next is not made either when the task has a next one, made
// for an earlier event.
func (s *Store) Handle(ctx context.Context, consumer, eventID string, change *task.Change) (fresh bool, err error) {
	r := &request{receipt: &receipt{consumer, eventID}}
	if err := r.receipt.storable(); err != nil {
		return false, err
	}
	if change != nil {
		c := *change
		if err := storable(&c); err != nil {
			return false, err
		}
		r.change = &c
	}
	if err := s.changes.do(ctx, r); err != nil {
		return false, err
	}
	return !r.result.Replayed, nil
}

// Handled returns those of the consumers that have handled an event
// or are owed it.
func (s *Store) Handled(ctx context.Context, eventID string, consumers []string) ([]string, error) {
	var handled []string
	queries := make([]query, len(consumers))
	for i, consumer := range consumers {
		if err := (receipt{consumer, eventID}).storable(); err != nil {
			return nil, err
		}
		queries[i] = query{
			sql:  "SELECT consumer FROM inbox WHERE consumer = $1 AND event_id = $2",
			args: []any{consumer, eventID},
			row: func(scan scanner) error {
				var name string
				err := scan(&name)
				handled = append(handled, name)
				return err
			},
		}
	}
	err := s.read(ctx, "read receipts", queries...)
	return handled, err
}

// storable refuses what PostgreSQL can't hold or index.
func (r receipt) storable() error {
	for field, text := range map[string]string{"consumer": r.consumer, "event id": r.event} {
		if text == "" || len(text) > maxKey || !isText(text) {
			return task.Invalid(field, fmt.Sprintf("must be valid UTF-8 without NUL characters, 1 to %d bytes", maxKey))
		}
	}
	return nil
}

// handle works out one event, see Handle.
func (b *batch) handle(r receipt, change *task.Change) (task.Result, error) {
	if b.received[r] {
		return task.Result{Replayed: true}, nil
	}
	if change != nil {
		if _, err := b.change(*change); err != nil {
			return task.Result{}, err
		}
	}
	b.received[r] = true
	b.receipts = append(b.receipts, r)
	return task.Result{}, nil
}

// wantedReceipts lists the receipts to read, each once, in order.
func (b *batch) wantedReceipts() []receipt {
	var list []receipt
	for _, r := range b.requests {
		if r.receipt != nil {
			list = append(list, *r.receipt)
		}
		for _, d := range r.owed {
			list = append(list, receiptOf(d))
		}
	}
	slices.SortFunc(list, func(x, y receipt) int {
		return cmp.Or(cmp.Compare(x.consumer, y.consumer), cmp.Compare(x.event, y.event))
	})
	return slices.Compact(list)
}

// wantedPrevious lists the tasks that are to get a next one.
func (b *batch) wantedPrevious() []int64 {
	var list []int64
	for _, r := range b.requests {
		if r.change != nil && r.change.PreviousID != 0 {
			list = append(list, r.change.PreviousID)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
