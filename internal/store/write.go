package store

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/todoctl/todoctl/internal/task"
)

const (
	// transactionTimeout bounds one transaction.
	transactionTimeout = 10 * time.Second
	// maxTries bounds how often a transaction is tried that lost against another.
	maxTries = 10
	// maxKey is the longest idempotency key, in bytes: PostgreSQL bounds what an
	// index can hold.
	maxKey = 255
)

// A verdict is what to do about a transaction that failed.
type verdict int

const (
	unavailable verdict = iota // the database can't; nobody's fault
	again                      // lost against another transaction; nothing was written
	divide                     // one request can't be stored; nothing was written
	blocked                    // another session holds the row of one request; nothing was written
)

// Change makes a change, shares its transaction with other callers', and returns
// when it is on disk. The errors of task.Change.Apply come back as they are;
// task.ErrKeyReused tells of an idempotency key used for another request. An error
// that wraps task.ErrUnavailable means that the database could not take it or,
// where the connection broke at COMMIT or ctx ended while it was under way, that
// nobody knows; then only an idempotency key makes asking again safe.
func (s *Store) Change(ctx context.Context, c task.Change) (task.Result, error) {
	if err := storable(&c); err != nil {
		return task.Result{}, err
	}
	r := &request{change: &c}
	if err := s.changes.do(ctx, r); err != nil {
		return task.Result{}, err
	}
	return r.result, nil
}

// MarkPublished records that outbox rows have reached the broker.
func (s *Store) MarkPublished(ctx context.Context, rows []int64) error {
	if len(rows) == 0 {
		return nil
	}
	return s.marks.do(ctx, &request{published: rows})
}

// MarkFailed records failed attempts to publish outbox rows. What has been
// published meanwhile stays as it is.
func (s *Store) MarkFailed(ctx context.Context, failures []task.Failure) error {
	if len(failures) == 0 {
		return nil
	}
	return s.marks.do(ctx, &request{failures: failures})
}

// storable refuses what would break the statement that a change shares with its
// neighbours: text that PostgreSQL can't hold. The task's own fields are
// validated by Apply.
func storable(c *task.Change) error {
	if !isText(c.UserID) {
		return task.Invalid("user_id", "must be valid UTF-8 without NUL characters")
	}
	if !isText(c.IdempotencyKey) || len(c.IdempotencyKey) > maxKey || !isText(c.Fingerprint) {
		return task.Invalid("Idempotency-Key", fmt.Sprintf("must be valid UTF-8 without NUL characters, at most %d bytes", maxKey))
	}
	if !isText(c.Traceparent) {
		c.Traceparent = ""
	}
	return nil
}

func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// write brings requests to disk, each with its own answer.
func (s *Store) write(ctx context.Context, requests []*request) {
	began := time.Now()
	err := s.transaction(ctx, requests)
	for try := 1; err != nil && s.db.verdict(err) == again && try < maxTries; try++ {
		err = s.transaction(ctx, requests)
	}
	if err == nil {
		s.writes.report(began, nil)
		return
	}
	verdict := s.db.verdict(err)
	switch n := len(requests); {
	case n > 1 && (verdict == divide || verdict == blocked):
		s.write(ctx, requests[:n/2])
		s.write(ctx, requests[n/2:])
	case verdict == divide:
		fail(requests, fmt.Errorf("store: %w", err))
	case verdict == blocked:
		fail(requests, fmt.Errorf("%w: %w", task.ErrUnavailable, err))
	default:
		s.writes.report(began, err)
		fail(requests, fmt.Errorf("%w: %w", task.ErrUnavailable, err))
	}
}

func (s *Store) transaction(ctx context.Context, requests []*request) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	b := newBatch(requests, s.now())
	if err := s.db.write(ctx, b); err != nil {
		return err
	}
	b.answer()
	if len(b.events) > 0 {
		select {
		case s.changed <- struct{}{}:
		default:
		}
	}
	return nil
}

func fail(requests []*request, err error) {
	for _, r := range requests {
		r.err = err
	}
}
