// Package worker does what the events of the topics task-events and reminders call for:
// the next task of a series when one is completed, and notifications of reminders. It
// also makes reminders fall due, see [Scheduler].
//
// Dapr hands events over by HTTP, one or many at a time, see [Worker.Handler]. It
// guarantees: an event has its effect once, however often it comes. The next task and
// the note that the event is handled are one transaction. A notification is owed from
// the moment that its event is acknowledged: it is in the database, for each channel
// on its own, until the channel has it or it is a dead letter, and [Worker.Run] tries
// it again and again meanwhile. It is sent before that is noted, so one that was sent
// right before a crash is sent again, with the same id. An event that can't be handled
// goes to the dead letter topic, with the reason, before it is acknowledged or forgotten.
// When the database is away events wait at the broker.
//
// It keeps no order beyond that of a partition, and it doesn't start the sidecar that
// subscribes: cmd/todoctl does.
package worker

import (
	"context"
	"log/slog"
	"sync"
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
	Accept(ctx context.Context, instead, eventID string, owed []task.Delivery) (fresh []task.Delivery, err error)
	ClaimDeliveries(ctx context.Context, limit int, lease time.Duration) (claimed []task.Delivery, next time.Time, err error)
	Delivered(ctx context.Context, d task.Delivery) error
	PutOff(ctx context.Context, d task.Delivery, until time.Time, cause error) error
	GiveUp(ctx context.Context, d task.Delivery) error
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
	Retry     Retry         // of notifications that fail
	Group     string        // the consumer group, for dead letters
	Log       *slog.Logger  // nothing is logged by default
	Metrics   prometheus.Registerer
	Now       func() time.Time
}

// A Worker handles events. Its methods may be called by many goroutines.
type Worker struct {
	o       Options
	log     *slog.Logger
	metrics metrics
	lease   time.Duration // what an attempt may take before others make it
	places  *places
	jobs    chan job      // has room for all that have a place
	due     chan struct{} // holds a value when something is due that has no place
	notes   chan struct{} // one for each notification that is being noted
	noting  sync.WaitGroup
}

// New makes a Worker. It panics when the metrics are registered already.
func New(o Options) *Worker {
	o = withMutations(o)
	o.Retry = o.Retry.orDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Worker{
		o: o, log: o.Log, metrics: newMetrics(o.Metrics), lease: o.Notify.LongestTimeout() + settleTime,
		places: newPlaces(), jobs: make(chan job, maxPlaces), due: make(chan struct{}, 1),
		notes: make(chan struct{}, maxNotes),
	}
}
