// Package smoke sends one probe through an event stack and follows it, hop by hop: a
// task through the API or an event through the sidecar, out of the outbox, onto the
// topic, past a consumer group.
//
// Guarantees: it passes only when the very probe was read back from the broker, by a
// reader of its own that stood at the topic's end before the probe was sent. It ends
// within its timeout, whatever hangs. The probe task is deleted at the end, also after
// a failure or when the context ends; what a killed run left behind, the next deletes.
// An event can't be taken back: it stays until the topic's retention takes it.
//
// It mends nothing, prints nothing and knows no HTTP and no database: both are handed
// in.
package smoke

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// User is whose task the probe is.
	User = "smoke"

	// TitlePrefix begins the title of every probe task.
	TitlePrefix = "todoctl smoke probe "

	// Type is that of a probe event. It is none of the stack's: consumers pass over it.
	Type = "todoctl.smoke"
)

// ErrNotHere is for an Outbox whose database isn't the one that the API writes, or
// can't be opened.
var ErrNotHere = errors.New("the outbox can't be looked into")

// An API makes and deletes tasks of User.
type API interface {
	// Add adds a task and returns its id.
	Add(ctx context.Context, title string) (int64, error)
	// Sweep deletes the tasks whose titles begin so and returns how many there were;
	// one that is gone by then is no error.
	Sweep(ctx context.Context, prefix string) (int, error)
}

// An Outbox tells what keeps an event from the broker.
type Outbox interface {
	// Waiting returns why the task's event on the topic hasn't gone out yet, "" when it
	// has. It is ErrNotHere when the task isn't in this database.
	Waiting(ctx context.Context, topic, title string, id int64) (string, error)
}

// Options say what the probe goes through.
type Options struct {
	Client *kgo.Client
	Reader *kgo.Client // reads the topic and is used for nothing else: what shares its connections waits for its fetches
	Topic  string

	API    API // nil: Publish sends an event instead
	Outbox Outbox
	// Publish sends an event to the topic; nil returns when it is acknowledged.
	Publish func(ctx context.Context, key string, event []byte) error

	Group    string // the consumer group that must pass the probe; "" leaves the hop out
	Expected bool   // it must be there; else one that doesn't read the topic is skipped

	Timeout time.Duration    // of the whole, with the cleaning up
	Began   func(hop string) // called as a hop begins; may be nil
}

// A Status is what became of a hop.
type Status string

// The statuses.
const (
	Passed  Status = "passed"
	Failed  Status = "failed"
	Skipped Status = "skipped" // there is nothing to see here
	NotRun  Status = "not_run" // a hop before it failed
)

// A Hop is one part of the way.
type Hop struct {
	Name   string  `json:"hop"`
	Status Status  `json:"status"`
	Millis float64 `json:"ms"`               // that it was waited for, from the end of the hop before
	Detail string  `json:"detail,omitempty"` // what was seen, or why it was skipped
	Error  string  `json:"error,omitempty"`  // of a failed one
	Next   string  `json:"next,omitempty"`   // the command that tells more
}

// A Result is what became of the probe. What isn't known is zero, and -1 for Partition
// and Offset.
type Result struct {
	OK        bool    `json:"ok"` // no hop failed
	Topic     string  `json:"topic"`
	TaskID    int64   `json:"task_id,omitempty"`
	EventID   string  `json:"event_id,omitempty"`
	Partition int32   `json:"partition"`
	Offset    int64   `json:"offset"`
	Hops      []Hop   `json:"hops"`
	Seconds   float64 `json:"seconds"`
}

// Failure is the hop that failed first, nil when none did.
func (r Result) Failure() *Hop {
	for i := range r.Hops {
		if r.Hops[i].Status == Failed {
			return &r.Hops[i]
		}
	}
	return nil
}
