package store

import (
	"context"
	"fmt"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// pruneStep is how many rows one transaction of Prune looks at: few enough that
// no write waits long for it.
const pruneStep = 2000

const (
	pruneKeys = `DELETE FROM idempotency_keys WHERE (user_id, key) IN
		(SELECT user_id, key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)`
	pruneInbox = `DELETE FROM inbox WHERE (consumer, event_id) IN
		(SELECT consumer, event_id FROM inbox WHERE handled_at < $1 ORDER BY handled_at LIMIT $2)`
	// The version before counts there.
	pruneAttempts = `DELETE FROM attempts WHERE (consumer, event_id) IN
		(SELECT consumer, event_id FROM attempts WHERE last_at < $1 ORDER BY last_at LIMIT $2)`
)

// Prune deletes outbox rows that were published before a moment and, older than it,
// idempotency keys and what is known of handled events and failed attempts, in small
// transactions, and returns how many rows it deleted, also when it was stopped by an
// error.
func (s *Store) Prune(ctx context.Context, publishedBefore time.Time) (int, error) {
	before := task.Timestamp(publishedBefore)
	total, err := s.pruneOutbox(ctx, before)
	for _, statement := range []string{pruneKeys, pruneInbox, pruneAttempts} {
		if err != nil {
			break
		}
		var n int
		n, err = s.pruneOld(ctx, statement, before)
		total += n
	}
	if err != nil {
		return total, fmt.Errorf("prune: %w: %w", task.ErrUnavailable, err)
	}
	return total, nil
}

func (s *Store) pruneOld(ctx context.Context, statement string, before time.Time) (total int, err error) {
	for {
		n, err := s.db.exec(ctx, statement, before, pruneStep)
		total += n
		if err != nil || n < pruneStep {
			return total, err
		}
	}
}

// pruneOutbox walks the outbox from its oldest row until it meets rows that are
// too young to have been published before the moment.
func (s *Store) pruneOutbox(ctx context.Context, before time.Time) (int, error) {
	total := 0
	for last := int64(0); ; {
		var end *int64
		var oldest stamp
		err := s.db.read(ctx, query{
			sql: `SELECT max(id), min(created_at) FROM
				(SELECT id, created_at FROM outbox WHERE id > $1 ORDER BY id LIMIT $2) AS step`,
			args: []any{last, pruneStep},
			row:  func(scan scanner) error { return scan(&end, &oldest) },
		})
		if err != nil || end == nil || !oldest.value().Before(before) {
			return total, err
		}
		n, err := s.db.exec(ctx, "DELETE FROM outbox WHERE id > $1 AND id <= $2 AND published_at < $3", last, *end, before)
		if err != nil {
			return total, err
		}
		total += n
		last = *end
	}
}
