package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// window is how many rows beyond the limit Heads looks at in order of age before
// it goes on from task to task.
const window = 256

// farAhead is a next attempt that nobody has set: the clock was put back since.
const farAhead = time.Hour / 4

// isDue tells whether the next attempt, which an event has once one has failed, is
// not ahead: $1 is now, $2 far ahead of it.
const isDue = `(o.attempts = 0 OR o.next_attempt_at <= $1 OR o.next_attempt_at > $2)`

// oldestHeads walks the oldest waiting rows and keeps the heads that are due and that
// %s, with the list $5, leaves over: $3 rows are looked at, $4 found at most.
const oldestHeads = `SELECT ` + eventColumns + ` FROM outbox o
	WHERE o.published_at IS NULL AND o.parked_at IS NULL AND ` + isDue + ` AND %s
	AND o.id <= coalesce((SELECT id FROM outbox WHERE published_at IS NULL AND parked_at IS NULL
		ORDER BY id LIMIT 1 OFFSET $3), 9223372036854775807)
	AND o.seq = (SELECT min(p.seq) FROM outbox p
		WHERE p.topic = o.topic AND p.task_id = o.task_id AND p.published_at IS NULL)
	ORDER BY o.id LIMIT $4`

// beyondWindow finds out whether more rows wait than oldestHeads looks at.
const beyondWindow = `SELECT id FROM outbox WHERE published_at IS NULL AND parked_at IS NULL
	ORDER BY id LIMIT 1 OFFSET $1`

// nextHeads jumps through the index from task to task, $5 of them at most, after
// the task ($3, $4). However many rows a task has waiting, it costs one step.
const nextHeads = `WITH RECURSIVE head(id, step) AS (
	SELECT coalesce(
		(SELECT id FROM outbox WHERE published_at IS NULL AND topic = $3 AND task_id > $4
			ORDER BY topic, task_id, seq LIMIT 1),
		(SELECT id FROM outbox WHERE published_at IS NULL AND topic > $3 ORDER BY topic, task_id, seq LIMIT 1)), 1
	UNION ALL
	SELECT coalesce(
		(SELECT n.id FROM outbox n WHERE n.published_at IS NULL AND n.topic = o.topic AND n.task_id > o.task_id
			ORDER BY n.topic, n.task_id, n.seq LIMIT 1),
		(SELECT n.id FROM outbox n WHERE n.published_at IS NULL AND n.topic > o.topic
			ORDER BY n.topic, n.task_id, n.seq LIMIT 1)), head.step + 1
	FROM head JOIN outbox o ON o.id = head.id WHERE head.step < $5
)
SELECT ` + eventColumns + `, o.parked_at IS NULL AND ` + isDue + `
FROM head JOIN outbox o ON o.id = head.id ORDER BY head.step`

// A headScan remembers where the walk from task to task stopped, so that each
// task gets its turn. It is no more than that: which rows are heads is always the
// database's word.
type headScan struct {
	mu    sync.Mutex
	topic string
	task  int64
}

// Heads returns the events that may be published now, oldest first: of each topic
// and task only the one with the lowest unpublished sequence, unless it is parked,
// its next attempt lies ahead, or its row is one of held. Where a few tasks crowd the
// front with thousands of events each, the tasks behind them take turns.
func (s *Store) Heads(ctx context.Context, limit int, held ...int64) ([]task.Event, error) {
	if limit <= 0 {
		return nil, nil
	}
	heads, more, err := s.oldest(ctx, limit, held)
	if err == nil && more {
		heads, err = s.takeTurns(ctx, heads, limit, held)
	}
	if err != nil {
		return nil, readError("read heads of the outbox", err)
	}
	return heads, nil
}

// oldest returns heads from the front of the outbox, and whether there is more behind.
func (s *Store) oldest(ctx context.Context, limit int, held []int64) (heads []task.Event, more bool, err error) {
	now := s.now()
	front := limit + len(held) + window
	err = s.db.read(ctx, query{
		sql:  fmt.Sprintf(oldestHeads, s.db.dialect().without),
		args: []any{task.Timestamp(now), task.Timestamp(now.Add(farAhead)), front, limit, s.db.dialect().list(held)},
		row:  collectEvent(&heads),
	})
	if err != nil || len(heads) == limit {
		return heads, false, err
	}
	err = s.db.read(ctx, query{sql: beyondWindow, args: []any{front}, row: func(scanner) error {
		more = true
		return nil
	}})
	return heads, more, err
}

// takeTurns adds heads of the tasks that come after those of last time.
func (s *Store) takeTurns(ctx context.Context, heads []task.Event, limit int, held []int64) ([]task.Event, error) {
	s.heads.mu.Lock()
	defer s.heads.mu.Unlock()
	var seen []task.Event
	var due []bool
	collect := collectEvent(&seen)
	steps := limit + len(held) + window
	now := s.now()
	err := s.db.read(ctx, query{
		sql:  nextHeads,
		args: []any{task.Timestamp(now), task.Timestamp(now.Add(farAhead)), s.heads.topic, s.heads.task, steps},
		row: func(scan scanner) error {
			var isDue bool
			err := collect(func(into ...any) error { return scan(append(into, &isDue)...) })
			due = append(due, isDue)
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	// The rows were read at another moment than the heads: a task may have come by
	// another head meanwhile.
	known := make(map[place]bool, len(heads))
	for _, e := range heads {
		known[place{e.Topic, e.TaskID}] = true
	}
	isHeld := make(map[int64]bool, len(held))
	for _, row := range held {
		isHeld[row] = true
	}
	last := headScan{}
	if len(seen) == steps {
		last.topic, last.task = seen[steps-1].Topic, seen[steps-1].TaskID
	}
	for i, e := range seen {
		if len(heads) == limit {
			last.topic, last.task = seen[i-1].Topic, seen[i-1].TaskID
			break
		}
		if due[i] && !isHeld[e.Row] && !known[place{e.Topic, e.TaskID}] {
			heads = append(heads, e)
		}
	}
	s.heads.topic, s.heads.task = last.topic, last.task
	slices.SortFunc(heads, func(x, y task.Event) int { return cmp.Compare(x.Row, y.Row) })
	return heads, nil
}

// Backlog counts what has not reached the broker yet.
func (s *Store) Backlog(ctx context.Context) (task.Backlog, error) {
	var b task.Backlog
	if err := s.db.read(ctx, backlogQueries(&b)...); err != nil {
		return task.Backlog{}, readError("count the outbox", err)
	}
	return b, nil
}

func backlogQueries(b *task.Backlog) []query {
	count := func(into *int64) func(scanner) error {
		return func(scan scanner) error { return scan(into) }
	}
	return []query{
		{sql: "SELECT count(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NULL", row: count(&b.Pending)},
		{sql: "SELECT count(*) FROM outbox WHERE published_at IS NULL AND parked_at IS NOT NULL", row: count(&b.Parked)},
		{
			sql: "SELECT created_at FROM outbox WHERE published_at IS NULL AND parked_at IS NULL ORDER BY id LIMIT 1",
			row: func(scan scanner) error {
				var oldest stamp
				err := scan(&oldest)
				b.Oldest = oldest.value()
				return err
			},
		},
	}
}
