package store

import (
	"context"

	"github.com/todoctl/todoctl/internal/task"
)

// Retry makes parked and put-off events due at once, as if they had never been
// tried, and returns how many; their last error stays to be read. With dryRun it
// only counts them.
func (s *Store) Retry(ctx context.Context, sel Selection, dryRun bool) (int, error) {
	sw := sweep{store: s, dryRun: dryRun}
	err := sw.retry(ctx, sel, isParked, func(*where) {})
	if err == nil {
		now := task.Timestamp(s.now())
		err = sw.retry(ctx, sel, isPending, func(w *where) { w.add("next_attempt_at > ?", now) })
	}
	return sw.result("retry", err)
}

// retry walks the rows of one partial index by id.
func (sw *sweep) retry(ctx context.Context, sel Selection, rows string, only func(*where)) error {
	for last := int64(0); ; {
		var end *int64
		err := sw.read(ctx, query{
			sql:  "SELECT max(id) FROM (SELECT id FROM outbox WHERE " + rows + " AND id > $1 ORDER BY id LIMIT $2) AS step",
			args: []any{last, sweepStep},
			row:  func(scan scanner) error { return scan(&end) },
		})
		if err != nil || end == nil {
			return err
		}
		var w where
		w.add(rows)
		w.add("id > ? AND id <= ?", last, *end)
		only(&w)
		sel.narrow(&w)
		if err := sw.step(ctx, &w); err != nil {
			return err
		}
		last = *end
	}
}
