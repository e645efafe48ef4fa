package task

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Topic is the topic of the events that tell of a task's changes.
const Topic = "task-events"

// ContentType is the media type of an event's payload: a CloudEvent in
// structured mode (CloudEvents 1.0.2, JSON event format, section 3).
const ContentType = "application/cloudevents+json"

// Source is the CloudEvents source of every event: the app id of the API.
const Source = "todo-backend"

// MaxEvent is the largest payload an event may have, in bytes.
const MaxEvent = 256 << 10

// The types of the events on Topic.
const (
	TypeCreated   = "task.created"
	TypeUpdated   = "task.updated"
	TypeCompleted = "task.completed"
	TypeReopened  = "task.reopened"
	TypeDeleted   = "task.deleted"
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

// cloudEvent is the envelope of an Event; the order of the fields is the order in
// the JSON.
type cloudEvent struct {
	SpecVersion     string    `json:"specversion"`
	ID              string    `json:"id"`
	Source          string    `json:"source"`
	Type            string    `json:"type"`
	Subject         string    `json:"subject"`
	Time            string    `json:"time"`
	DataContentType string    `json:"datacontenttype"`
	PartitionKey    string    `json:"partitionkey"`
	Sequence        string    `json:"sequence"`
	Traceparent     string    `json:"traceparent,omitempty"`
	TraceID         string    `json:"traceid,omitempty"` // the same: Dapr keeps a traceparent only beside it
	Data            eventData `json:"data"`
}

// eventData has the shape that the setup guide's backend published.
type eventData struct {
	EventType string   `json:"event_type"`
	Timestamp string   `json:"timestamp"`
	UserID    string   `json:"user_id"`
	Data      snapshot `json:"data"`
}

// snapshot is the whole task with its id under the name task_id: the outer, empty
// ID hides the one of Task from encoding/json.
type snapshot struct {
	TaskID int64  `json:"task_id"`
	ID     *int64 `json:"id,omitempty"`
	Task
}

// newEvent freezes the event of a change that left the task in the state t.
func newEvent(id, kind string, t Task, traceparent string, now time.Time) (Event, error) {
	stamp := now.Format("2006-01-02T15:04:05.000000Z07:00")
	payload, err := json.Marshal(cloudEvent{
		SpecVersion:     "1.0",
		ID:              id,
		Source:          Source,
		Type:            kind,
		Subject:         "tasks/" + strconv.FormatInt(t.ID, 10),
		Time:            stamp,
		DataContentType: "application/json",
		PartitionKey:    strconv.FormatInt(t.ID, 10),
		Sequence:        strconv.FormatInt(t.Sequence, 10),
		Traceparent:     traceparent,
		TraceID:         traceparent,
		Data: eventData{
			EventType: kind,
			Timestamp: stamp,
			UserID:    t.UserID,
			Data:      snapshot{TaskID: t.ID, Task: t},
		},
	})
	if err != nil {
		return Event{}, fmt.Errorf("encode event of task %d: %w", t.ID, err)
	}
	if len(payload) > MaxEvent {
		return Event{}, Invalid("body", fmt.Sprintf("makes an event of %d bytes, at most %d can be published", len(payload), MaxEvent))
	}
	return Event{
		ID: id, Topic: Topic, Type: kind, TaskID: t.ID, Sequence: t.Sequence,
		Traceparent: traceparent, Time: now, Payload: payload,
	}, nil
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
