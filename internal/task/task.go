// Package task is the domain of the todo application: tasks, the changes made to
// them and the events that tell of the changes. It is a leaf: it knows no
// database, no broker and no HTTP, and everything in it is a pure function of
// its arguments (the clock and the ids of events are passed in).
package task

import (
	"slices"
	"time"
)

// A Task is one entry of a user's list, as stored and as the API shows it.
// Times are UTC and whole microseconds, the resolution of PostgreSQL.
type Task struct {
	ID            int64      `json:"id"` // the first field: see taskEvents
	UserID        string     `json:"user_id"`
	Title         string     `json:"title"`
	Description   string     `json:"description"`
	Completed     bool       `json:"completed"`
	Priority      Priority   `json:"priority"`
	Tags          []string   `json:"tags"` // never nil, so that it is [] in JSON
	DueDate       *time.Time `json:"due_date"`
	RemindAt      *time.Time `json:"remind_at"`
	RemindBefore  *int       `json:"remind_before"` // minutes before DueDate; looked at where RemindAt is nil
	Timezone      string     `json:"timezone"`      // IANA name: the zone in which it recurs
	Channels      []string   `json:"channels"`      // by which to remind; never nil
	Recurrence    string     `json:"recurrence"`    // none, daily, weekly, monthly, yearly or an RFC 5545 rule
	RecurrenceEnd *time.Time `json:"recurrence_end"`
	// RecurrenceStart is the date from which the series counts, nil while that is the
	// task's own; PreviousID is the task of the series before this one.
	RecurrenceStart *time.Time `json:"recurrence_start"`
	PreviousID      *int64     `json:"previous_id"`
	CreatedAt       time.Time  `json:"created_at"`
	UpdatedAt       time.Time  `json:"updated_at"`
	CompletedAt     *time.Time `json:"completed_at"`

	// Sequence counts the changes of this task, from 1. It is the entity tag of
	// the API and the sequence of the task's events.
	Sequence int64 `json:"sequence"`
}

// A Priority is one of low, medium, high and urgent.
type Priority string

// The priorities, least first.
const (
	Low    Priority = "low"
	Medium Priority = "medium"
	High   Priority = "high"
	Urgent Priority = "urgent"
)

// Priorities lists every priority, least first.
func Priorities() []Priority { return []Priority{Low, Medium, High, Urgent} }

// Rank is the priority's place in Priorities, from 0, and -1 for no priority.
func (p Priority) Rank() int { return slices.Index(Priorities(), p) }

// Timestamp brings a time to the form in which tasks hold it: UTC, whole
// microseconds, no monotonic reading.
func Timestamp(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
