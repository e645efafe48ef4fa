package store

import (
	"context"
	"fmt"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A Republication selects published events that are still kept.
type Republication struct {
	Selection
	Since, Until time.Time // published at or after Since and before Until
	DryRun       bool
	Progress     func(events int) // told now and then how many there were so far; may be nil
}

// Republish makes published events unpublished again and returns how many: the
// relay publishes them once more, with the same ids. All events of a topic and task
// change in one transaction, so that they go out in order, also while a relay runs.
// An event that the relay has published again meanwhile isn't before Until any more:
// the same call after an interruption does what is left.
func (s *Store) Republish(ctx context.Context, r Republication) (int, error) {
	sw := sweep{store: s, dryRun: r.DryRun, progress: r.Progress}
	return sw.result("republish", sw.republish(ctx, r))
}

// A place is one task's events on one topic.
type place struct {
	topic string
	task  int64
}

// republish walks the outbox from task to task.
func (sw *sweep) republish(ctx context.Context, r Republication) error {
	for last := (place{}); ; {
		end, err := sw.next(ctx, r.Selection, last)
		if err != nil {
			return err
		}
		var w where
		w.add("(topic, task_id) > (?, ?)", last.topic, last.task)
		if end != nil {
			w.add("(topic, task_id) <= (?, ?)", end.topic, end.task)
		}
		w.add("published_at >= ? AND published_at < ?", task.Timestamp(r.Since), task.Timestamp(r.Until))
		r.narrow(&w)
		if err := sw.step(ctx, &w); err != nil || end == nil {
			return err
		}
		last = *end
	}
}

// next is the place where the step after a place ends; nil: there are fewer rows
// than a step has.
func (sw *sweep) next(ctx context.Context, sel Selection, last place) (*place, error) {
	var w where
	w.add("(topic, task_id) > (?, ?)", last.topic, last.task)
	sel.narrow(&w)
	var end *place
	err := sw.read(ctx, query{
		sql:  fmt.Sprintf("SELECT topic, task_id FROM outbox%s ORDER BY topic, task_id LIMIT 1 OFFSET %d", w.sql(), sweepStep-1),
		args: w.args,
		row: func(scan scanner) error {
			end = &place{}
			return scan(&end.topic, &end.task)
		},
	})
	return end, err
}
