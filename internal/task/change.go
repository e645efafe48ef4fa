package task

import (
	"reflect"
	"slices"
	"time"
)

// An Action is what a Change does to a task.
type Action int

// The actions. Toggle completes an open task and reopens a completed one.
const (
	Create Action = iota
	Update
	Toggle
	Delete
)

// A Change is one wish of a client, not yet made.
type Change struct {
	Action      Action
	UserID      string  // the owner; another user's task is not found
	TaskID      int64   // unused by Create
	Patch       Patch   // of Create and Update
	IfMatch     []int64 // when not empty, the task's sequence must be one of these
	Traceparent string  // W3C trace context of the request, or ""

	// Of a Create that Task.Next made: see the fields of Task. A task has one next task
	// at most: where there is one, the change does nothing.
	RecurrenceStart *time.Time
	PreviousID      int64

	// IdempotencyKey, when not empty, makes the change happen once however often
	// it is asked for: the same key with the same Fingerprint gives the first
	// answer again, with another Fingerprint ErrKeyReused. Keys are per user.
	IdempotencyKey string
	Fingerprint    string
}

// A Result is the answer to a Change: the task as the change left it or, for
// Delete, as it was last.
type Result struct {
	Task     Task
	Replayed bool // answered from an earlier request with the same IdempotencyKey
}

// An Outcome is what a store has to write for a Change, in one transaction.
type Outcome struct {
	Task     Task
	Events   []Event   // none when the change leaves the task as it is
	Reminder *Reminder // nil when it stays as it is; goes with a deleted task
	Deleted  bool
}

// Apply works out a change. current is the task as it stands, nil when the user
// has none of that id, reminder its reminder, zero when it never had one; nextID
// becomes the id of a created task; eventID makes the events' ids (UUIDv7). Errors:
// ErrNotFound, ErrStale, *InvalidError.
func (c Change) Apply(current *Task, reminder Reminder, nextID int64, now time.Time, eventID func() string) (Outcome, error) {
	now = Timestamp(now)
	if c.Action == Create {
		return c.create(nextID, now, eventID)
	}
	if current == nil || current.UserID != c.UserID {
		return Outcome{}, ErrNotFound
	}
	if len(c.IfMatch) > 0 && !slices.Contains(c.IfMatch, current.Sequence) {
		return Outcome{}, ErrStale
	}
	next := *current
	kind := TypeUpdated
	switch c.Action {
	case Toggle:
		next.Completed = !next.Completed
	case Delete:
		kind = TypeDeleted
	default:
		next = c.Patch.apply(next)
	}
	if c.Action != Delete && reflect.DeepEqual(next, *current) {
		return Outcome{Task: next}, nil
	}
	if next.Completed != current.Completed {
		kind = next.complete(now)
	}
	next.Sequence++
	next.UpdatedAt = now
	return step{c, *current, next, kind, now, eventID}.outcome(reminder)
}

func (c Change) create(id int64, now time.Time, eventID func() string) (Outcome, error) {
	blank := Task{
		ID: id, UserID: c.UserID, Priority: Medium, Tags: []string{}, Timezone: UTC, Channels: []string{},
		Recurrence: noRecurrence, RecurrenceStart: c.RecurrenceStart, CreatedAt: now, UpdatedAt: now, Sequence: 1,
	}
	if c.PreviousID != 0 {
		blank.PreviousID = &c.PreviousID
	}
	t := c.Patch.apply(blank)
	if t.Completed {
		t.complete(now)
	}
	return step{c, blank, t, TypeCreated, now, eventID}.outcome(Reminder{})
}

// complete keeps CompletedAt in step with Completed and names the event.
func (t *Task) complete(now time.Time) string {
	if t.Completed {
		t.CompletedAt = &now
		return TypeCompleted
	}
	t.CompletedAt = nil
	return TypeReopened
}

// A step is a change that has been worked out: old became next.
type step struct {
	Change
	old, next Task
	kind      string
	now       time.Time
	eventID   func() string
}

func (s step) outcome(reminder Reminder) (Outcome, error) {
	same := s.next.sameSeries(s.old)
	if s.Action != Create && !same {
		s.next.RecurrenceStart = nil // it starts anew
	}
	if s.Action != Delete { // what was stored can always be deleted
		series := s.Action == Create || !same || !sameTime(s.next.RecurrenceEnd, s.old.RecurrenceEnd)
		if err := s.next.validate(series); err != nil {
			return Outcome{}, err
		}
	}
	events, err := s.taskEvents()
	if err != nil {
		return Outcome{}, err
	}
	changed, event, err := s.remind(reminder)
	if err != nil {
		return Outcome{}, err
	}
	if changed != nil {
		events = append(events, event)
	}
	return Outcome{Task: s.next, Events: events, Reminder: changed, Deleted: s.Action == Delete}, nil
}
