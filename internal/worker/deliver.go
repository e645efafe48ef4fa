package worker

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/task"
)

const (
	// settleTime is what of a lease remains, beyond the longest an attempt may take, to
	// note what became of it.
	settleTime = 15 * time.Second

	// settlePause is how long to wait when that can't be noted.
	settlePause = 500 * time.Millisecond

	// maxNotes is how many notifications that were made may wait to be noted; their places
	// are free by then, and they share transactions.
	maxNotes = 1024

	// stopGrace is how long attempts under way may take when the worker stops.
	stopGrace = 3 * time.Second

	// pollDeliveries is how often to look for what other workers left behind.
	pollDeliveries = time.Second
)

// A parcel is the payload of a delivery.
type parcel struct {
	Origin origin          `json:"origin"`
	Event  json.RawMessage `json:"event"`
}

// A job is a delivery that has a place; done, if there is one, is closed after the attempt.
type job struct {
	task.Delivery
	done chan struct{}
}

// owe writes down what is owed. What there are places for is tried at once, the rest
// when there are. Of a redriven event the first attempts are waited for: whoever sends
// one redrives the next when it is acknowledged, and not if it is a dead letter again.
func (w *Worker) owe(ctx context.Context, e event, owed []task.Delivery) (result string, err error) {
	now := w.o.Now()
	n := w.places.take(len(owed))
	for i := range owed {
		owed[i].Due = now
		if i < n {
			owed[i].Due = now.Add(w.lease)
		}
	}
	fresh, err := w.o.Store.Accept(ctx, notificationConsumer, e.id, owed)
	if err != nil || len(fresh) == 0 {
		w.places.give(n)
		return resultRepeated, err
	}
	var under []job
	for _, d := range fresh {
		if d.Due.After(now) {
			under = append(under, job{d, make(chan struct{})})
		}
	}
	w.places.give(n - len(under))
	if len(under) < len(fresh) {
		w.wake()
	}
	for _, j := range under {
		w.jobs <- j
	}
	if e.attributes["redrivecount"] != nil {
		for _, j := range under {
			select {
			case <-j.done:
			case <-ctx.Done():
			}
		}
	}
	return resultAccepted, nil
}

func (w *Worker) wake() {
	select {
	case w.due <- struct{}{}:
	default:
	}
}

// Run makes the attempts until ctx ends, and returns nil once those under way are over:
// they have 3 s, then they are broken off and others make them. Events that come
// before and after are owed all the same. Call it once.
func (w *Worker) Run(ctx context.Context) error {
	sending, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var team sync.WaitGroup
	for range maxPlaces {
		team.Go(func() {
			for j := range w.jobs {
				w.attempt(sending, j.Delivery)
				close(j.done)
				w.places.give(1)
			}
		})
	}
	w.places.setUp()
	w.claim(ctx)
	w.places.close()
	grace := time.AfterFunc(stopGrace, cut)
	defer grace.Stop()
	w.places.taken.Wait()
	close(w.jobs) // nobody has a place
	team.Wait()
	w.noting.Wait()
	return nil
}

// claim takes what is due in the database until ctx ends.
func (w *Worker) claim(ctx context.Context) {
	var next time.Time
	away := false
	for ctx.Err() == nil {
		n := 0
		if !next.IsZero() && !next.After(w.o.Now()) {
			n = w.places.take(maxPlaces)
		}
		claimed, at, err := w.o.Store.ClaimDeliveries(ctx, n, w.lease)
		w.places.give(n - len(claimed))
		for _, d := range claimed {
			w.jobs <- job{d, make(chan struct{})}
		}
		if (err != nil) != away && ctx.Err() == nil {
			away = err != nil
			w.reportAway(err)
		}
		due := !at.IsZero() && !at.After(w.o.Now())
		switch {
		case err != nil:
			w.await(ctx, nil, time.Second)
		case due && n == 0 && (next.IsZero() || next.After(w.o.Now())): // just found out
		case due && n == 0:
			w.await(ctx, w.places.freed, pollDeliveries)
		case due && len(claimed) == 0: // another worker holds it
			w.await(ctx, nil, claimPause)
		case !due:
			w.await(ctx, w.due, w.until(at))
		}
		next = at
	}
}

// until is how long to wait for the next delivery.
func (w *Worker) until(next time.Time) time.Duration {
	if next.IsZero() {
		return pollDeliveries
	}
	return min(max(next.Sub(w.o.Now()), time.Millisecond), pollDeliveries)
}

// await waits for a signal, at most d.
func (*Worker) await(ctx context.Context, signal <-chan struct{}, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-signal:
	case <-timer.C:
	}
}

func (w *Worker) reportAway(err error) {
	if err != nil {
		w.log.Error("notifications can't be looked at: they wait", "err", err)
		return
	}
	w.log.Info("notifications are looked at again")
}

// attempt tells a user on one channel, and settles what became of it.
func (w *Worker) attempt(ctx context.Context, d task.Delivery) {
	left := d.Due.Sub(w.o.Now()) - settleTime
	if left <= 0 {
		return // this process was held up: another may have it
	}
	e, said, err := unpack(d)
	if err != nil {
		w.end(ctx, d, e, said, err)
		return
	}
	if until := w.quiet(said); !until.IsZero() {
		w.metrics.count(task.TypeDue, resultHeld)
		w.settle(ctx, d, func(ctx context.Context) error { return w.o.Store.PutOff(ctx, d, until, nil) })
		return
	}
	sending, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	channel := strings.TrimPrefix(d.Consumer, channelPrefix)
	err = w.o.Fan.Send(sending, w.notification(d.EventID, said), []string{channel})[0].Err
	switch {
	case err == nil:
		w.told(ctx, d, said, channel)
	case ctx.Err() != nil: // broken off: others make the attempt
		w.settle(ctx, d, func(ctx context.Context) error { return w.o.Store.PutOff(ctx, d, w.o.Now(), nil) })
	default:
		w.end(ctx, d, e, said, fmt.Errorf("%s: %w", channel, err))
	}
}

// unpack reads a delivery that was accepted before.
func unpack(d task.Delivery) (e event, said due, err error) {
	var p parcel
	if err := json.Unmarshal(d.Payload, &p); err != nil {
		return event{id: d.EventID, attributes: map[string]json.RawMessage{}}, due{}, invalidError{err}
	}
	if e, err = parseEvent(p.Origin, p.Event); err == nil {
		said, err = parseDue(e.data)
	}
	return e, said, err
}

// told has it noted, and then logged, that a channel has a notification; Run waits for that.
func (w *Worker) told(ctx context.Context, d task.Delivery, said due, channel string) {
	delay := w.o.Now().Sub(said.RemindAt)
	w.metrics.delay.Observe(delay.Seconds())
	w.metrics.count(task.TypeDue, resultHandled)
	w.notes <- struct{}{}
	w.noting.Go(func() {
		if w.settle(ctx, d, func(ctx context.Context) error { return w.o.Store.Delivered(ctx, d) }) {
			w.log.Info("reminded", "task_id", said.TaskID, "channel", channel, "delay", delay.Round(time.Millisecond), "event_id", d.EventID)
		}
		<-w.notes
	})
}

// end decides what becomes of a delivery whose attempt failed.
func (w *Worker) end(ctx context.Context, d task.Delivery, e event, said due, cause error) {
	failed := d.Attempts + 1
	next := w.o.Now().Add(w.o.Retry.wait(failed, cause))
	spent := failed >= w.o.Retry.Attempts || next.After(w.o.Retry.end(said.RemindAt, d.ReceivedAt))
	permanent := isInvalid(cause) || notify.IsPermanent(cause)
	if permanent || spent {
		f := failure{err: cause, attempts: failed, first: d.ReceivedAt, spent: !permanent}
		consumer := deadLetterConsumer + strings.TrimPrefix(d.Consumer, notificationConsumer)
		if buried, result := w.bury(ctx, consumer, e, f); buried == success {
			w.metrics.count(task.TypeDue, result)
			w.settle(ctx, d, func(ctx context.Context) error { return w.o.Store.GiveUp(ctx, d) })
			return
		}
	}
	w.metrics.count(task.TypeDue, resultRetried)
	w.log.Warn("notification failed", append(e.origin.attrs(), "event_id", d.EventID, "attempts", failed,
		"next", next.Sub(w.o.Now()).Round(time.Millisecond), "err", cause)...)
	w.settle(ctx, d, func(ctx context.Context) error { return w.o.Store.PutOff(ctx, d, next, cause) })
	w.wake()
}

// settle writes down what became of an attempt, again and again while the lease lasts and
// the worker isn't stopped: what can't be written happens once more. It tells whether it
// is written.
func (w *Worker) settle(ctx context.Context, d task.Delivery, write func(context.Context) error) bool {
	for {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
		err := write(writing)
		cancel()
		if err == nil {
			return true
		}
		w.log.Warn("what became of a notification can't be noted", "event_id", d.EventID, "err", err)
		if ctx.Err() != nil || !w.o.Now().Add(settlePause).Before(d.Due) {
			return false
		}
		w.await(ctx, nil, settlePause)
	}
}
