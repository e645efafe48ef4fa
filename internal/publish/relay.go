package publish

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// Outbox is where the Relay finds events and keeps account of them.
type Outbox interface {
	// Heads returns, oldest first, the first unpublished event of each topic and
	// task, those left out that are parked, not due, or held.
	Heads(ctx context.Context, limit int, held ...int64) ([]task.Event, error)

	// MarkPublished may be called again with the same rows.
	MarkPublished(ctx context.Context, rows []int64) error
	MarkFailed(ctx context.Context, failures []task.Failure) error
	Backlog(ctx context.Context) (task.Backlog, error)

	// Lead waits until this process is the one leader. The context it returns ends
	// when that is over; the function gives the lead up.
	Lead(ctx context.Context) (context.Context, func(), error)

	// Prune deletes events published before a time, and says how many; not
	// necessarily all of them at once.
	Prune(ctx context.Context, publishedBefore time.Time) (int, error)
}

// RelayOptions are what a Relay works with. Only Outbox and Publisher are needed.
type RelayOptions struct {
	Outbox    Outbox
	Publisher Publisher
	Wake      <-chan struct{}       // says that there is something new; nil: the poll alone finds it
	Log       *slog.Logger          // nil: none
	Metrics   prometheus.Registerer // nil: none

	// Published, if set, is told of events that the broker acknowledged. The relay
	// waits for it.
	Published func(topic string, events []task.Event)

	Now func() time.Time // wall clock, for RetryAt, delays and retention; nil: time.Now

	Batch    int           // events in a call; 0 is 100
	Calls    int           // calls in flight; 0 is 8
	PollMin  time.Duration // between looks into the outbox while there is work; 0 is 200 ms
	PollMax  time.Duration // and while there is none; 0 is 1 s
	Attempts int           // refusals of an event until it is parked; 0 is 10
	Drain    time.Duration // for calls in flight when Run is to end; 0 is 10 s

	Retention  time.Duration // of published events; 0 is 7 days
	PruneEvery time.Duration // 0 is an hour
}

// Waiting times.
const (
	storeTimeout = 30 * time.Second // of one request to the outbox
	markTimeout  = 5 * time.Second  // of the last marks when Run ends
)

// outagePace: of tries while broker or sidecar are away.
func outagePace() pace { return pace{100 * time.Millisecond, 5 * time.Second} }

// topicPace: of tries of a topic that refuses everything.
func topicPace() pace { return pace{time.Second, 10 * time.Second} }

// refusalPace: of tries of an event that is refused. With ten attempts it is
// parked after six minutes or so, time enough for an operator who broke the topic
// for all events to mend it.
func refusalPace() pace { return pace{time.Second, 5 * time.Minute} }

// A Relay publishes what the outbox holds.
//
// When something fails, it looks for whose fault it is:
//
//   - Nothing passes: an outage of the sidecar or the broker. It tries one event at
//     a time, every 0.1 to 5 s, counts no attempts and goes on where it was.
//   - The topic refuses (ErrTopicRefused): its events are put off, up to 10 s each
//     time, and never parked: once the topic is mended they all go out. Other
//     topics aren't held up, unless 100,000 tasks or so wait for the refusing one.
//   - One event is refused (ErrRefused): it is put off, from 1 s to 5 minutes, and
//     parked after 10 attempts. The task's later events wait behind it.
//   - One event fails otherwise while others pass: it is put off, up to 5 s each
//     time, and never parked: a broker that is away for one partition comes back.
//
// An outage is one topic's, seen from here; that of another is found by itself. As
// long as it isn't known to be the topic that refuses, other topics are held up once
// some 800 of its events are read ahead.
//
// An outage, a topic that refuses and an outbox that is away are logged once when
// they begin and once when they end; refused events at most once in 10 s.
type Relay struct {
	o       RelayOptions
	log     *slog.Logger
	metrics *metrics
}

// NewRelay makes a Relay. It panics when the metrics are registered already.
func NewRelay(o RelayOptions) *Relay {
	o = withFailpoints(o)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Batch = orDefault(o.Batch, 100)
	o.Calls = orDefault(o.Calls, 8)
	o.Attempts = orDefault(o.Attempts, 10)
	o.PollMin = orDefault(o.PollMin, 200*time.Millisecond)
	o.PollMax = max(o.PollMin, orDefault(o.PollMax, time.Second))
	o.Drain = orDefault(o.Drain, 10*time.Second)
	o.Retention = orDefault(o.Retention, 7*24*time.Hour)
	o.PruneEvery = orDefault(o.PruneEvery, time.Hour)
	return &Relay{o: o, log: o.Log, metrics: newMetrics(o.Metrics, o.Outbox.Backlog, o.Now)}
}

func orDefault[T int | time.Duration](value, fallback T) T {
	if value <= 0 {
		return fallback
	}
	return value
}

// Run relays until ctx ends, whenever this process is the leader, and returns nil.
// It lets calls in flight finish within the time of Drain and marks what was
// acknowledged, so that after a clean stop nothing is published again. When the
// lead is lost it drops what is in flight and waits to lead again.
func (r *Relay) Run(ctx context.Context) error {
	var away gate
	for ctx.Err() == nil {
		lead, release, err := r.lead(ctx)
		if err != nil {
			now := time.Now()
			if away.fail(now, now, outagePace()) && ctx.Err() == nil {
				r.log.Warn("relay can't stand for leader", "err", err)
			}
			wait(ctx, away.until.Sub(now))
			continue
		}
		away.pass()
		r.serve(ctx, lead)
		release()
		if ctx.Err() == nil {
			r.log.Warn("relay lost the lead")
			wait(ctx, outagePace().after(1))
		}
	}
	return nil
}

// lead is Outbox.Lead with a context that ctx ends only while it waits: the lead is
// kept until what is in flight at a clean stop has been marked.
func (r *Relay) lead(ctx context.Context) (context.Context, func(), error) {
	waiting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, cancel)
	lead, release, err := r.o.Outbox.Lead(waiting)
	if err != nil {
		detach()
		cancel()
		return nil, nil, err
	}
	if !detach() {
		release()
		cancel()
		return nil, nil, ctx.Err()
	}
	return lead, func() { release(); cancel() }, nil
}

func (r *Relay) serve(ctx, lead context.Context) {
	r.log.Info("relay leads")
	r.metrics.leader.Set(1)
	defer r.metrics.leader.Set(0)
	newTerm(r).run(ctx, lead)
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
