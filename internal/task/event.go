package task

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The topics: Topic tells of every change of a task, UpdatesTopic of the same with
// what has changed, for those who show tasks, RemindersTopic of reminders.
const (
	Topic          = "task-events"
	UpdatesTopic   = "task-updates"
	RemindersTopic = "reminders"
)

// ContentType is the media type of an event's payload: a CloudEvent in
// structured mode (CloudEvents 1.0.2, JSON event format, section 3).
const ContentType = "application/cloudevents+json"

// Source is the CloudEvents source of every event: the app id of the API.
const Source = "todo-backend"

// MaxEvent is the largest payload an event may have, in bytes.
const MaxEvent = 256 << 10

// The types of the events: task.sync on UpdatesTopic, those of reminders on
// RemindersTopic, the others on Topic.
const (
	TypeCreated   = "task.created"
	TypeUpdated   = "task.updated"
	TypeCompleted = "task.completed"
	TypeReopened  = "task.reopened"
	TypeDeleted   = "task.deleted"

	TypeSync = "task.sync"

	TypeScheduled = "reminder.scheduled"
	TypeDue       = "reminder.due"
	TypeCancelled = "reminder.cancelled"
)

// An Event is a row of the outbox: a CloudEvent with its address, frozen when the
// change was made, so that id, time and content are the same in every attempt to
// publish it.
type Event struct {
	Row         int64 // of the outbox; 0 before it is stored
	ID          string
	Topic       string
	Type        string
	TaskID      int64
	Sequence    int64 // per topic and task, from 1 without gaps
	Traceparent string
	Time        time.Time
	Payload     []byte // the CloudEvent, as published
	Attempts    int    // failed attempts to publish it so far
}

// Key is the event's Kafka key and CloudEvents partitionkey: the task's id.
func (e Event) Key() string { return strconv.FormatInt(e.TaskID, 10) }

// A draft is an event before it is frozen.
type draft struct {
	id, topic, kind string
	task            Task
	sequence        int64
	traceparent     string
	now             time.Time
}

// freeze makes the event with its data, a JSON object, in the shape that the setup
// guide's backend published: event_type, timestamp, user_id, data. The envelope is put
// together by hand: several events of a change share the JSON of the task.
func (d draft) freeze(data ...[]byte) (Event, error) {
	const stampLayout = `"2006-01-02T15:04:05.000000Z07:00"`
	b := make([]byte, 0, 640+size(data))
	b = append(append(b, `{"specversion":"1.0","id":"`...), d.id...)
	b = append(append(b, `","source":"`+Source+`","type":"`...), d.kind...)
	b = strconv.AppendInt(append(b, `","subject":"tasks/`...), d.task.ID, 10)
	b = d.now.AppendFormat(append(b, `","time":`...), stampLayout)
	b = strconv.AppendInt(append(b, `,"datacontenttype":"application/json","partitionkey":"`...), d.task.ID, 10)
	b = strconv.AppendInt(append(b, `","sequence":"`...), d.sequence, 10)
	b = append(b, '"')
	if d.traceparent != "" { // twice: Dapr keeps a traceparent only beside a traceid
		b = appendQuoted(append(b, `,"traceparent":`...), d.traceparent)
		b = appendQuoted(append(b, `,"traceid":`...), d.traceparent)
	}
	b = append(append(b, `,"data":{"event_type":"`...), d.kind...)
	b = d.now.AppendFormat(append(b, `","timestamp":`...), stampLayout)
	b = appendQuoted(append(b, `,"user_id":`...), d.task.UserID)
	b = append(b, `,"data":`...)
	for _, part := range data {
		b = append(b, part...)
	}
	b = append(b, "}}"...)
	if len(b) > MaxEvent {
		return Event{}, Invalid("body", fmt.Sprintf("makes an event of %d bytes, at most %d can be published", len(b), MaxEvent))
	}
	return Event{
		ID: d.id, Topic: d.topic, Type: d.kind, TaskID: d.task.ID, Sequence: d.sequence,
		Traceparent: d.traceparent, Time: d.now, Payload: b,
	}, nil
}

func size(parts [][]byte) (n int) {
	for _, part := range parts {
		n += len(part)
	}
	return n
}

// appendQuoted appends a text as JSON, as encoding/json writes it.
func appendQuoted(b []byte, s string) []byte {
	plain := func(c byte) bool { return c >= ' ' && c < 0x7f && !strings.ContainsRune(`"\<>&`, rune(c)) }
	for i := range len(s) {
		if !plain(s[i]) {
			text, _ := json.Marshal(s) // a string always has a JSON form
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// taskEvents are the two events of every change: the task on Topic and the difference
// on UpdatesTopic, both with the task's sequence.
func (s step) taskEvents() ([]Event, error) {
	whole, err := json.Marshal(s.next)
	if err != nil {
		return nil, fmt.Errorf("encode task %d: %w", s.next.ID, err)
	}
	head := []byte(`{"task_id":`)
	id, found := bytes.CutPrefix(whole, []byte(`{"id":`))
	if !found {
		return nil, fmt.Errorf("encode task %d: its id doesn't come first", s.next.ID)
	}
	d := draft{s.eventID(), Topic, s.kind, s.next, s.next.Sequence, s.Traceparent, s.now}
	event, err := d.freeze(head, id)
	if err != nil {
		return nil, err
	}
	d.id, d.topic, d.kind = s.eventID(), UpdatesTopic, TypeSync
	_, action, _ := strings.Cut(s.kind, ".")
	what := `,"action":"` + action + `","fields_changed":[` + changedFields(s.old, s.next) + `],"snapshot":`
	sync, err := d.freeze(head, strconv.AppendInt(nil, s.next.ID, 10), []byte(what), whole, []byte("}"))
	return []Event{event, sync}, err
}

// changedFields names the fields that differ, quoted, in the order of the JSON.
// UpdatedAt and Sequence, which always do, are left out.
func changedFields(a, b Task) string {
	names := make([]byte, 0, 64)
	for _, field := range []struct {
		name string
		same bool
	}{
		{"title", a.Title == b.Title},
		{"description", a.Description == b.Description},
		{"completed", a.Completed == b.Completed},
		{"priority", a.Priority == b.Priority},
		{"tags", slices.Equal(a.Tags, b.Tags)},
		{"due_date", sameTime(a.DueDate, b.DueDate)},
		{"remind_at", sameTime(a.RemindAt, b.RemindAt)},
		{"remind_before", a.RemindBefore == b.RemindBefore || a.RemindBefore != nil && b.RemindBefore != nil && *a.RemindBefore == *b.RemindBefore},
		{"timezone", a.Timezone == b.Timezone},
		{"channels", slices.Equal(a.Channels, b.Channels)},
		{"recurrence", a.Recurrence == b.Recurrence},
		{"recurrence_end", sameTime(a.RecurrenceEnd, b.RecurrenceEnd)},
		{"recurrence_start", sameTime(a.RecurrenceStart, b.RecurrenceStart)},
		{"completed_at", sameTime(a.CompletedAt, b.CompletedAt)},
	} {
		if field.same {
			continue
		}
		if len(names) > 0 {
			names = append(names, ',')
		}
		names = append(append(append(names, '"'), field.name...), '"')
	}
	return string(names)
}

// ReadSnapshot reads the task in the data of an event on Topic: data.data of the
// CloudEvent. What an earlier todoctl didn't write has its default.
func ReadSnapshot(data []byte) (Task, error) {
	s := struct {
		TaskID int64 `json:"task_id"`
		Task
	}{Task: Task{Timezone: UTC, Recurrence: noRecurrence, Tags: []string{}, Channels: []string{}}}
	if err := json.Unmarshal(data, &s); err != nil {
		return Task{}, fmt.Errorf("read task of an event: %w", err)
	}
	s.ID = s.TaskID
	return s.Task, nil
}

// A Failure is a failed attempt to publish an event.
type Failure struct {
	Row     int64 // of the outbox
	Reason  string
	RetryAt time.Time // not tried again before
	Park    bool      // not tried again until an operator says so; later events of the task wait
}

// Backlog is what has not reached the broker yet.
type Backlog struct {
	Pending int64     // events waiting, parked ones not counted
	Parked  int64     // events given up on until an operator says otherwise
	Oldest  time.Time // when the oldest waiting event was made; zero when none waits
}
