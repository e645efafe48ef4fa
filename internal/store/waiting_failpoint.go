//go:build failpoint

package store

import (
	"context"
	"slices"

	"github.com/todoctl/todoctl/internal/task"
)

// allWaiting are the events in the order of their ids, which isn't the order of
// commits, and of one task as many as there are.
const allWaiting = `SELECT ` + eventColumns + ` FROM outbox o
	WHERE o.published_at IS NULL AND o.parked_at IS NULL AND ` + isDue + ` ORDER BY o.id LIMIT $3`

// WaitingByID is what a wrong relay would take in the place of Heads: see the mutation
// order-by-id.
func (s *Store) WaitingByID(ctx context.Context, limit int, held ...int64) ([]task.Event, error) {
	var events []task.Event
	now := s.now()
	err := s.db.read(ctx, query{
		sql:  allWaiting,
		args: []any{task.Timestamp(now), task.Timestamp(now.Add(farAhead)), limit + len(held)},
		row:  collectEvent(&events),
	})
	if err != nil {
		return nil, readError("read the outbox", err)
	}
	return slices.DeleteFunc(events, func(e task.Event) bool { return slices.Contains(held, e.Row) }), nil
}
