//go:build failpoint

package store

import (
	"context"

	"github.com/todoctl/todoctl/internal/task"
)

// allWaiting are the events in the order of their ids, which isn't the order of
// commits, and of one task as many as there are.
const allWaiting = `SELECT ` + eventColumns + ` FROM outbox o
	WHERE o.published_at IS NULL AND o.parked_at IS NULL AND o.next_attempt_at <= $1 ORDER BY o.id LIMIT $2`

// WaitingByID is what a wrong relay would take in the place of Heads: see the mutation
// order-by-id.
func (s *Store) WaitingByID(ctx context.Context, limit int) ([]task.Event, error) {
	var events []task.Event
	err := s.db.read(ctx, query{sql: allWaiting, args: []any{task.Timestamp(s.now()), limit}, row: collectEvent(&events)})
	if err != nil {
		return nil, readError("read the outbox", err)
	}
	return events, nil
}
