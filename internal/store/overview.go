package store

import (
	"context"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// An Overview is the outbox at one moment.
type Overview struct {
	task.Backlog
	Oldest     *Waiting // the oldest event that isn't parked; nil when there is none
	LastFailed *Waiting // the event that failed last, of those that haven't got out; nil when none has
}

// lastFailed is the id of a row that has failed, the one tried last as far as the
// rows tell. It looks at the newest parked and the oldest pending ones: those are
// the ones that are tried.
const lastFailed = `SELECT id FROM (
	SELECT * FROM (SELECT id, last_error, parked_at AS at FROM outbox
		WHERE published_at IS NULL AND parked_at IS NOT NULL ORDER BY id DESC LIMIT 10000) AS parked
	UNION ALL
	SELECT * FROM (SELECT id, last_error, next_attempt_at AS at FROM outbox
		WHERE published_at IS NULL AND parked_at IS NULL ORDER BY id LIMIT 10000) AS pending
	) AS tried WHERE last_error <> '' ORDER BY at DESC LIMIT 1`

// Overview counts what waits in the outbox and reads what tells why.
func (s *Store) Overview(ctx context.Context) (Overview, error) {
	var o Overview
	var oldest, failed []Waiting
	queries := append(backlogQueries(&o.Backlog),
		s.waiting("SELECT id FROM outbox WHERE "+isPending+" ORDER BY id LIMIT 1", []any{false}, &oldest),
		s.waiting(lastFailed, []any{false}, &failed))
	if err := s.db.read(ctx, queries...); err != nil {
		return Overview{}, readError("read the outbox", err)
	}
	if len(oldest) > 0 {
		o.Oldest = &oldest[0]
	}
	if len(failed) > 0 {
		o.LastFailed = &failed[0]
	}
	return o, nil
}

// A History is what the outbox keeps of published events, until it is pruned.
type History struct {
	Kept        int64
	Recent      int64     // published at or after the moment that was asked for
	First, Last time.Time // when the first and the last of those kept were published; zero without any
}

// History counts published events. It looks at every row, which takes seconds when
// there are millions: ctx should bound it.
func (s *Store) History(ctx context.Context, since time.Time) (History, error) {
	var h History
	err := s.db.read(ctx, query{
		sql: `SELECT count(*), count(CASE WHEN published_at >= $1 THEN 1 END), min(published_at), max(published_at)
			FROM outbox WHERE published_at IS NOT NULL`,
		args: []any{task.Timestamp(since)},
		row: func(scan scanner) error {
			var first, last stamp
			err := scan(&h.Kept, &h.Recent, &first, &last)
			h.First, h.Last = first.value(), last.value()
			return err
		},
	})
	return h, readError("count published events", err)
}

// A Leader is who publishes for all that share the database.
type Leader struct {
	Leads bool
	Addr  string // of its connection to PostgreSQL, "" where it isn't known
}

// Leader tells whether a relay leads. It doesn't stand for leader itself.
func (s *Store) Leader(ctx context.Context) (Leader, error) {
	l, err := s.db.leader(ctx)
	return l, readError("look for the leader", err)
}
