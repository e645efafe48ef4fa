package checker

import "time"

// An Outcome is what a client knows of a request that it sent.
type Outcome string

// The outcomes: a 2xx; a 4xx; a timeout, a broken connection or a 5xx.
const (
	OK      Outcome = "ok"
	Fail    Outcome = "fail"
	Unknown Outcome = "unknown"
)

// An Operation is one request of a client.
type Operation struct {
	Action  string // create, update, toggle or delete
	Outcome Outcome
	Trace   string // the traceparent that it was sent with; no other request has it
	Key     string // its Idempotency-Key, "" without one; repetitions share it
	Title   string // that it gives the task, "" when it gives none

	// Of the answer, when Outcome is OK.
	TaskID   int64
	Sequence int64 // 0 when the answer has none
	Replayed bool  // it says that an earlier request with the key made the change
}

// Changes is the topic that tells of every change of a task, in turn.
const Changes = "task-events"

// Updates is the topic that tells the same, with what has changed.
const Updates = "task-updates"

// A Row is one row of the outbox.
type Row struct {
	Event
	Topic     string
	Trace     string
	Task      int64 // the columns beside the payload
	Seq       int64
	Published bool
	Parked    bool
}

// A Task is one row of the tasks.
type Task struct {
	ID, Sequence int64
	Title        string
	Completed    bool
}

// A Record is one record of a topic. Records of a partition are in the order of
// their offsets.
type Record struct {
	Event
	Topic     string
	Partition int
	Offset    int64
	Key       string
}

// An Evidence is all that the checker goes by.
type Evidence struct {
	Operations []Operation
	Rows       []Row
	Tasks      []Task
	Records    []Record

	// Recovery is the time from the end of the last fault until the outbox was
	// empty, Bound what it may be; Recovered is false when the wait was given up.
	Recovery, Bound time.Duration
	Recovered       bool

	// Contradictions are what the clients noticed by themselves.
	Contradictions []string
}
