package worker

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/todoctl/todoctl/internal/task"
)

const (
	// claimBatch is how many reminders fall due in one transaction: few enough that
	// no other writer waits long.
	claimBatch = 100

	// claimPause is for what another replica or a change holds at the moment, and lets
	// other writers in between two full claims.
	claimPause = 10 * time.Millisecond

	// maxReported bounds the log lines of the reminders that one claim missed.
	maxReported = 10
)

// Claimed is what became of the reminders of a claim, see store.Claimed.
type Claimed struct {
	Sent   int
	Missed []task.Reminder
	Next   time.Time // when the next one is due; zero for none
}

// Reminders are those of the database.
type Reminders interface {
	ClaimReminders(ctx context.Context, limit int, maxLateness time.Duration) (Claimed, error)
}

// SchedulerOptions say how a Scheduler works. Reminders is required.
type SchedulerOptions struct {
	Reminders   Reminders
	MaxLateness time.Duration // a later one is missed; 24 h by default
	Poll        time.Duration // how often to look for what others have set; 250 ms by default
	Log         *slog.Logger
	Metrics     prometheus.Registerer
	Now         func() time.Time
}

// A Scheduler makes reminders fall due when their time has come. Any number of them may
// work on one database: each reminder falls due once.
type Scheduler struct {
	o               SchedulerOptions
	claimed, missed prometheus.Counter
}

// NewScheduler makes a Scheduler. It panics when the metrics are registered already.
func NewScheduler(o SchedulerOptions) *Scheduler {
	if o.MaxLateness <= 0 {
		o.MaxLateness = 24 * time.Hour
	}
	if o.Poll <= 0 {
		o.Poll = 250 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	factory := promauto.With(o.Metrics)
	return &Scheduler{
		o: o,
		claimed: factory.NewCounter(prometheus.CounterOpts{
			Name: "todo_reminders_claimed_total", Help: "Reminders that fell due.",
		}),
		missed: factory.NewCounter(prometheus.CounterOpts{
			Name: "todo_reminders_missed_total", Help: "Reminders that were later than allowed when they were looked at.",
		}),
	}
}

// Run works until ctx ends and returns nil. While the database is away it tries again
// every second; that is logged once when it begins and once when it ends.
func (s *Scheduler) Run(ctx context.Context) error {
	away := false
	for ctx.Err() == nil {
		c, err := s.o.Reminders.ClaimReminders(ctx, claimBatch, s.o.MaxLateness)
		if (err != nil) != away && ctx.Err() == nil {
			away = err != nil
			s.reportAway(err)
		}
		s.report(c)
		wait := time.Second
		if err == nil {
			wait = s.until(c)
		}
		pause(ctx, wait)
	}
	return nil
}

// until is how long to wait after a claim.
func (s *Scheduler) until(c Claimed) time.Duration {
	switch {
	case c.Sent+len(c.Missed) >= claimBatch:
		return claimPause
	case c.Next.IsZero():
		return s.o.Poll
	default:
		return min(max(c.Next.Sub(s.o.Now()), claimPause), s.o.Poll)
	}
}

func (s *Scheduler) reportAway(err error) {
	if err != nil {
		s.o.Log.Error("reminders can't be looked at: they wait", "err", err)
		return
	}
	s.o.Log.Info("reminders are looked at again")
}

func (s *Scheduler) report(c Claimed) {
	s.claimed.Add(float64(c.Sent))
	s.missed.Add(float64(len(c.Missed)))
	for i, r := range c.Missed {
		if i == maxReported {
			s.o.Log.Warn("more reminders missed", "reminders", len(c.Missed)-maxReported)
			break
		}
		s.o.Log.Warn("reminder missed: nobody is told, it is too late", "task_id", r.TaskID, "remind_at", r.DueAt, "max_lateness", s.o.MaxLateness)
	}
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
