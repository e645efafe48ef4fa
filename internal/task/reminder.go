package task

import (
	"encoding/json"
	"fmt"
	"time"
)

// LateAfter is how long after its time a reminder may become due and still count as on
// time.
const LateAfter = 2 * time.Second

// A Reminder is how far a task's reminder has come. A task has one at a time.
type Reminder struct {
	TaskID   int64
	DueAt    time.Time // of the state: when it is, was or would have been due
	State    ReminderState
	Sequence int64 // of its last event on RemindersTopic; 0: it never had any
}

// A ReminderState is what has become of a Reminder.
type ReminderState string

// The states. Of a Missed one there is no event: its time had passed for too long.
const (
	Scheduled ReminderState = "scheduled"
	Sent      ReminderState = "sent"
	Missed    ReminderState = "missed"
	Cancelled ReminderState = "cancelled"
)

// ReminderAt is when to remind of the task: RemindAt, else RemindBefore the due date;
// nil for a completed task and one without reminder.
func (t Task) ReminderAt() *time.Time {
	switch {
	case t.Completed:
		return nil
	case t.RemindAt != nil:
		return t.RemindAt
	case t.DueDate == nil || t.RemindBefore == nil:
		return nil
	}
	at := t.DueDate.Add(-time.Duration(*t.RemindBefore) * time.Minute)
	return &at
}

// remind works out what a change means for the task's reminder: nil for nothing. A time
// that has passed is scheduled like any other: whoever sends it says that it is late.
func (s step) remind(r Reminder) (*Reminder, Event, error) {
	at := s.next.ReminderAt()
	if s.Action == Delete {
		at = nil
	}
	r.TaskID = s.next.ID
	kind := TypeScheduled
	switch {
	case at == nil && r.State == Scheduled:
		r.State, kind = Cancelled, TypeCancelled
	case at == nil:
		return nil, Event{}, nil
	case r.State != "" && r.State != Cancelled && r.DueAt.Equal(*at): // scheduled, or over
		return nil, Event{}, nil
	default:
		r.State, r.DueAt = Scheduled, *at
	}
	r.Sequence++
	event, err := reminderEvent(draft{s.eventID(), RemindersTopic, kind, s.next, r.Sequence, s.Traceparent, s.now}, newReminderData(s.next, r))
	return &r, event, err
}

// FallDue works out what becomes of a scheduled reminder whose time has come: its event,
// or none for one that is later than maxLateness.
func (r Reminder) FallDue(t Task, maxLateness time.Duration, now time.Time, eventID func() string) (Reminder, []Event, error) {
	now = Timestamp(now)
	delay := max(0, now.Sub(r.DueAt))
	if delay > maxLateness {
		r.State = Missed
		return r, nil, nil
	}
	r.State = Sent
	r.Sequence++
	event, err := reminderEvent(draft{eventID(), RemindersTopic, TypeDue, t, r.Sequence, "", now}, dueData{
		reminderData: newReminderData(t, r), Late: delay > LateAfter, DelayMS: delay.Milliseconds(),
	})
	return r, []Event{event}, err
}

// reminderData is the data of the events on RemindersTopic.
type reminderData struct {
	TaskID   int64      `json:"task_id"`
	Title    string     `json:"title"`
	UserID   string     `json:"user_id"`
	RemindAt time.Time  `json:"remind_at"` // of the reminder, also where the task has remind_before
	DueDate  *time.Time `json:"due_date"`
	Channels []string   `json:"channels"`
	Timezone string     `json:"timezone"`
}

func newReminderData(t Task, r Reminder) reminderData {
	return reminderData{t.ID, t.Title, t.UserID, r.DueAt, t.DueDate, t.Channels, t.Timezone}
}

// dueData says besides whether and by how much the reminder is late.
type dueData struct {
	reminderData
	Late    bool  `json:"late"`
	DelayMS int64 `json:"delay_ms"`
}

func reminderEvent(d draft, data any) (Event, error) {
	text, err := json.Marshal(data)
	if err != nil {
		return Event{}, fmt.Errorf("encode reminder of task %d: %w", d.task.ID, err)
	}
	return d.freeze(text)
}
