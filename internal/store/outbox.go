package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A Selection narrows what is listed, retried or republished; the zero value
// selects everything.
type Selection struct {
	Topic  string
	TaskID int64
	IDs    []string // of events, as UUIDs in lower case
}

func (sel Selection) narrow(w *where) {
	switch {
	case sel.Topic == "":
	case sel.TaskID == 0:
		// Without an index: SQLite would take that of the topic and sort all its rows,
		// 6 s for 500,000, where the order wanted has an index of its own.
		w.add("coalesce(topic, '') = ?", sel.Topic)
	default:
		w.add("topic = ?", sel.Topic)
	}
	if sel.TaskID != 0 {
		w.add("task_id = ?", sel.TaskID)
	}
	if len(sel.IDs) > 0 {
		ids := make([]any, len(sel.IDs))
		for i, id := range sel.IDs {
			ids[i] = id
		}
		w.add("event_id IN (?"+strings.Repeat(", ?", len(ids)-1)+")", ids...)
	}
}

// A State is why an event hasn't reached the broker.
type State string

// The states of an event in the outbox. Only the first unpublished event of a topic
// and task can go out: the others wait behind it.
const (
	Due     State = "due"     // it goes out as soon as the relay can publish
	PutOff  State = "put_off" // its next attempt lies ahead
	Parked  State = "parked"  // given up on until an operator says otherwise
	Queued  State = "queued"  // behind an event that is due
	Blocked State = "blocked" // behind an event that is parked or put off
)

// A Waiting is an event that hasn't reached the broker, with what is known of it.
type Waiting struct {
	task.Event  // Payload only where it was asked for
	State       State
	Behind      int64 // sequence of the task's event that must go out first, 0: this is the one
	NextAttempt time.Time
	LastError   string    // of the last failed attempt; Retry keeps it
	ParkedAt    time.Time // zero for an event that isn't parked
}

// A WaitingQuery selects waiting events.
type WaitingQuery struct {
	Selection
	Parked  bool  // only parked ones
	After   int64 // only rows after this one: the last of the page before
	Limit   int   // events in a page
	Payload bool  // with the payload
}

const (
	isPending = "published_at IS NULL AND parked_at IS NULL"
	isParked  = "published_at IS NULL AND parked_at IS NOT NULL"
)

// waitingRows reads the events of a page with the head of their task; $1 says
// whether with payloads, %s selects the ids.
const waitingRows = `SELECT o.id, CAST(o.event_id AS text), o.topic, o.type, o.task_id, o.seq, o.traceparent,
	o.created_at, CASE WHEN $1 THEN o.payload END, o.attempts,
	o.next_attempt_at, o.last_error, o.parked_at, h.seq, h.attempts, h.next_attempt_at, h.parked_at
	FROM (%s) AS page JOIN outbox o ON o.id = page.id
	JOIN outbox h ON h.id = (SELECT p.id FROM outbox p
		WHERE p.published_at IS NULL AND p.topic = o.topic AND p.task_id = o.task_id ORDER BY p.seq LIMIT 1)
	ORDER BY o.id`

// Waiting returns a page of the events that haven't reached the broker, oldest
// first; more tells that it isn't the last one.
func (s *Store) Waiting(ctx context.Context, q WaitingQuery) (page []Waiting, more bool, err error) {
	w := where{args: []any{q.Payload}}
	w.add("id > ?", q.After)
	q.narrow(&w)
	ids := firstIDs(isParked, w, q.Limit+1)
	if !q.Parked {
		ids += " UNION ALL " + firstIDs(isPending, w, q.Limit+1)
	}
	ids += fmt.Sprintf(" ORDER BY id LIMIT %d", q.Limit+1)
	if err := s.db.read(ctx, s.waiting(ids, w.args, &page)); err != nil {
		return nil, false, readError("read the outbox", err)
	}
	if len(page) > q.Limit {
		return page[:q.Limit], true, nil
	}
	return page, false, nil
}

// firstIDs selects the lowest ids of one partial index: pending and parked rows
// have one each.
func firstIDs(rows string, w where, limit int) string {
	return fmt.Sprintf("SELECT id FROM (SELECT id FROM outbox%s AND %s ORDER BY id LIMIT %d) AS first", w.sql(), rows, limit)
}

// waiting is the query for the events of some ids.
func (s *Store) waiting(ids string, args []any, into *[]Waiting) query {
	now := s.now()
	return query{sql: fmt.Sprintf(waitingRows, ids), args: args, row: func(scan scanner) error {
		var events []task.Event
		var e, head Waiting
		var next, parked, headNext, headParked stamp
		err := collectEvent(&events)(func(columns ...any) error {
			return scan(append(columns, &next, &e.LastError, &parked, &head.Sequence, &head.Attempts, &headNext, &headParked)...)
		})
		if err != nil {
			return err
		}
		e.Event, e.NextAttempt, e.ParkedAt = events[0], next.value(), parked.value()
		head.NextAttempt, head.ParkedAt = headNext.value(), headParked.value()
		e.State = e.alone(now)
		if head.Sequence != e.Sequence {
			e.Behind = head.Sequence
			e.State = e.behind(head, now)
		}
		*into = append(*into, e)
		return nil
	}}
}

// alone is the state of an event that nothing is before: that of isDue.
func (e Waiting) alone(now time.Time) State {
	switch {
	case !e.ParkedAt.IsZero():
		return Parked
	case e.Attempts > 0 && e.NextAttempt.After(now) && !e.NextAttempt.After(now.Add(farAhead)):
		return PutOff
	default:
		return Due
	}
}

func (e Waiting) behind(head Waiting, now time.Time) State {
	switch {
	case !e.ParkedAt.IsZero():
		return Parked
	case head.alone(now) == Due:
		return Queued
	default:
		return Blocked
	}
}
