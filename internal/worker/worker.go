// Package worker does what the events of the topics task-events and reminders call for:
// the next task of a series when one is completed, and notifications of reminders. It
// also makes reminders fall due, see [Scheduler].
//
// Dapr hands events over by HTTP, see [Worker.Handler]. It guarantees: an event has its
// effect once, however often it comes. The next task and the note that the event is
// handled are one transaction. A notification is sent before the note is written, so
// one that was sent right before a crash is sent again, with the same id, and only on
// the channels that had no note. An event that can't be handled goes to the dead
// letter topic, with the reason, and is acknowledged after that. When the database is
// away events wait.
//
// It keeps no order beyond that of a partition, and it doesn't start the sidecar that
// subscribes: cmd/todoctl does.
package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/task"
)

// A Store is what a Worker needs of the database; store.Store has it.
type Store interface {
	Task(ctx context.Context, userID string, id int64) (task.Task, error)
	Handle(ctx context.Context, consumer, eventID string, change *task.Change) (fresh bool, err error)
	Handled(ctx context.Context, eventID string, consumers []string) ([]string, error)
	Attempt(ctx context.Context, consumer, eventID string, cause error) (n int, first time.Time, err error)
}

// A Publisher publishes a CloudEvent in structured mode and returns nil once the broker
// has acknowledged it.
type Publisher interface {
	Publish(ctx context.Context, topic, key string, event []byte) error
}

// Options are what a Worker works with. Store, Publisher, Notify and Fan are required.
type Options struct {
	Store     Store
	Publisher Publisher     // of dead letters
	Notify    notify.Config // who is told on which channels
	Fan       *notify.Fan   // the channels
	Token     string        // what the sidecar must show (APP_API_TOKEN); "" for nothing
	Attempts  int           // after so many failures an event is a dead letter; 5 by default
	Log       *slog.Logger  // nothing is logged by default
	Metrics   prometheus.Registerer
	Now       func() time.Time
}

// A Worker handles events. Its methods may be called by many goroutines.
type Worker struct {
	o       Options
	log     *slog.Logger
	metrics metrics
}

// New makes a Worker. It panics when the metrics are registered already.
func New(o Options) *Worker {
	if o.Attempts <= 0 {
		o.Attempts = 5
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Worker{o: o, log: o.Log, metrics: newMetrics(o.Metrics)}
}
