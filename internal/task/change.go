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
	Task    Task
	Events  []Event // none when the change leaves the task as it is
	Deleted bool
}

// Apply works out a change. current is the task as it stands, nil when the user
// has none of that id; nextID becomes the id of a created task; eventID makes the
// events' ids (UUIDv7). Errors: ErrNotFound, ErrStale, *InvalidError.
func (c Change) Apply(current *Task, nextID int64, now time.Time, eventID func() string) (Outcome, error) {
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
	return next.outcome(kind, c, now, eventID)
}

func (c Change) create(id int64, now time.Time, eventID func() string) (Outcome, error) {
	t := c.Patch.apply(Task{
		ID: id, UserID: c.UserID, Priority: Medium, Tags: []string{}, Recurrence: "none",
		CreatedAt: now, UpdatedAt: now, Sequence: 1,
	})
	if t.Completed {
		t.complete(now)
	}
	return t.outcome(TypeCreated, c, now, eventID)
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

func (t Task) outcome(kind string, c Change, now time.Time, eventID func() string) (Outcome, error) {
	if c.Action != Delete { // what was stored can always be deleted
		if err := t.Validate(); err != nil {
			return Outcome{}, err
		}
	}
	event, err := newEvent(eventID(), kind, t, c.Traceparent, now)
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Task: t, Events: []Event{event}, Deleted: c.Action == Delete}, nil
}
