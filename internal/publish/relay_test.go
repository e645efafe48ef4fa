package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

// Log lines that tests look for.
const (
	stopped      = "publishing stopped, sidecar or broker is away"
	goesOn       = "publishing goes on"
	topicRefuses = "topic refuses events, they wait until it takes them"
	topicTakes   = "topic takes events again"
)

func TestRelayPublishesEveryEventOnceInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for range 20 {
			for id := range int64(50) {
				o.add("task-events", id)
			}
			o.add("reminders", 7)
		}
		b.delay = func() time.Duration { return 3 * time.Millisecond }
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		eventually(t, 10*time.Second, func() bool { return o.pending() == 0 })
		stop()
		if repeated := check(t, o, b); repeated != 0 {
			t.Errorf("%d events repeated", repeated)
		}
	})
}

// One slow call must not hold up the others: a pipeline, not rounds.
func TestRelayKeepsItsCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for id := range int64(16_000) {
			o.add("task-events", id)
		}
		var calls atomic.Int64
		b.delay = func() time.Duration {
			if calls.Add(1) == 1 {
				return 10 * time.Second
			}
			return 10 * time.Millisecond
		}
		o.delay = func() time.Duration { return 5 * time.Millisecond }
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		took := eventually(t, time.Second, func() bool { return o.pending() == 100 })
		if want := 160 * 10 * time.Millisecond / 7; took > want*5/4 {
			t.Errorf("took %v with seven calls in flight, want about %v", took, want)
		}
		if b.most != 8 {
			t.Errorf("%d calls in flight, want 8", b.most)
		}
		if o.marks > 60 {
			t.Errorf("%d marks for 160 calls: they weren't combined", o.marks)
		}
		eventually(t, 20*time.Second, func() bool { return o.pending() == 0 })
		stop()
		check(t, o, b)
	})
}

// Events that are marked while Heads is under way are in its answer.
func TestRelayKnowsAnOldAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for range 5 {
			for id := range int64(3000) {
				o.add("task-events", id)
			}
		}
		b.delay = func() time.Duration { return 7 * time.Millisecond }
		o.late = 20 * time.Millisecond
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		eventually(t, 10*time.Second, func() bool { return o.pending() == 0 })
		stop()
		if repeated := check(t, o, b); repeated != 0 {
			t.Errorf("%d events repeated", repeated)
		}
	})
}

func TestRelayWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		wake := make(chan struct{}, 1)
		stop := start(t, RelayOptions{Outbox: o, Publisher: b, Wake: wake})
		_ = sleep(t.Context(), 10*time.Second) // idle
		if n := o.looks(); n < 9 || n > 15 {
			t.Errorf("%d looks into an empty outbox in 10 s", n)
		}
		o.add("task-events", 1)
		wake <- struct{}{}
		if took := eventually(t, time.Second, func() bool { return o.pending() == 0 }); took > 5*time.Millisecond {
			t.Errorf("took %v after a wake-up", took)
		}
		o.add("task-events", 2) // and nobody says so
		eventually(t, 1100*time.Millisecond, func() bool { return o.pending() == 0 })
		close(wake)
		_ = sleep(t.Context(), 10*time.Second)
		stop()
		check(t, o, b)
	})
}

func TestRelayInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for range 5 {
			for id := range int64(300) {
				o.add("task-events", id)
			}
		}
		var away atomic.Bool
		away.Store(true)
		b.answer = func(_ string, batch []Message) ([]bool, []error) {
			if away.Load() {
				return nothing(len(batch)), all(len(batch), errAway)
			}
			return everything(len(batch)), nil
		}
		lines := newLogLines()
		stop := start(t, RelayOptions{Outbox: o, Publisher: b, Log: slog.New(lines)})
		_ = sleep(t.Context(), 2*time.Minute)
		if n := b.callsSoFar(); n < 20 || n > 60 {
			t.Errorf("%d calls in an outage of 2 minutes", n)
		}
		away.Store(false)
		eventually(t, 6*time.Second, func() bool { return o.pending() == 0 })
		stop()
		if n := len(o.failed()); n != 0 {
			t.Errorf("%d attempts counted in an outage", n)
		}
		if began, ended := lines.count(stopped), lines.count(goesOn); began != 1 || ended != 1 {
			t.Errorf("outage logged %d times, its end %d times", began, ended)
		}
		if repeated := check(t, o, b); repeated != 0 {
			t.Errorf("%d events repeated", repeated)
		}
	})
}

// refusing answers like a publisher whose broker refuses some messages.
func refusing(refused func(Message) bool) func(string, []Message) ([]bool, []error) {
	return func(_ string, batch []Message) ([]bool, []error) {
		appended, errs := everything(len(batch)), make([]error, len(batch))
		for i, m := range batch {
			if refused(m) {
				appended[i], errs[i] = false, fmt.Errorf("%w: too large", ErrRefused)
			}
		}
		return appended, errs
	}
}

func TestRelayParksWhatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for range 3 {
			for id := range int64(200) {
				o.add("task-events", id)
			}
		}
		var mended atomic.Bool
		b.answer = refusing(func(m Message) bool { return m.ID == "task-events-42-2" && !mended.Load() })
		lines := newLogLines()
		stop := start(t, RelayOptions{Outbox: o, Publisher: b, Log: slog.New(lines)})
		eventually(t, 5*time.Second, func() bool { return o.count(isPublished) == 598 })
		took := eventually(t, time.Hour, func() bool { return o.count(isParked) == 1 })
		if took < time.Minute {
			t.Errorf("parked after %v: too soon for an operator", took)
		}
		failures := o.failed()
		if n := len(failures); n != 10 {
			t.Errorf("%d attempts counted, want 10", n)
		}
		if reason := failures[0].Reason; reason != "refused: too large" {
			t.Errorf("reason %q", reason)
		}
		_ = sleep(t.Context(), 10*time.Minute)
		if n := o.count(isPublished); n != 598 {
			t.Errorf("%d events published, want 598: later events of the task wait", n)
		}
		if n := lines.count("event refused"); n == 0 || n > 10 {
			t.Errorf("logged %d times", n)
		}
		mended.Store(true)
		o.retry()
		eventually(t, 5*time.Second, func() bool { return o.pending() == 0 })
		stop()
		if repeated := check(t, o, b); repeated != 0 {
			t.Errorf("%d events repeated", repeated)
		}
	})
}

// A missing topic is no fault of its events: none is parked, other topics go on,
// and everything goes out soon after the topic is made.
func TestRelayWaitsForATopic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for range 2 {
			for id := range int64(300) {
				o.add("task-events", id)
			}
		}
		var made atomic.Bool
		var calls atomic.Int64
		b.answer = func(topic string, batch []Message) ([]bool, []error) {
			if topic == "task-events" && !made.Load() {
				if calls.Add(1) > 1 { // Dapr says why once, and then no more for a while
					return nothing(len(batch)), all(len(batch), errAway)
				}
				return nothing(len(batch)), all(len(batch), fmt.Errorf("%w: unknown", ErrTopicRefused))
			}
			return everything(len(batch)), nil
		}
		lines := newLogLines()
		stop := start(t, RelayOptions{Outbox: o, Publisher: b, Log: slog.New(lines)})
		for id := range int64(1000) {
			o.add("reminders", id)
		}
		eventually(t, 5*time.Second, func() bool { return o.count(isPublished) == 1000 })
		_ = sleep(t.Context(), time.Hour)
		if n := o.count(isParked); n != 0 {
			t.Errorf("%d events parked", n)
		}
		if reason := o.rows[0].reason; !strings.Contains(reason, "topic refused") {
			t.Errorf("reason in the outbox: %q", reason)
		}
		for id := range int64(500) {
			o.add("reminders", id+1000)
		}
		eventually(t, 5*time.Second, func() bool { return o.count(isPublished) == 1500 })
		before := b.callsSoFar()
		_ = sleep(t.Context(), time.Minute)
		if n := b.callsSoFar() - before; n > 12 {
			t.Errorf("the missing topic was tried %d times in a minute", n)
		}
		made.Store(true)
		eventually(t, 30*time.Second, func() bool { return o.pending() == 0 })
		stop()
		check(t, o, b)
		if began, ended := lines.count(topicRefuses), lines.count(topicTakes); began != 1 || ended != 1 {
			t.Errorf("logged %d times, its end %d times", began, ended)
		}
	})
}

// A broker that is away for one partition: its events are neither parked nor in
// the way of the others.
func TestRelayWaitsForAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		var back atomic.Bool
		b.answer = func(_ string, batch []Message) ([]bool, []error) {
			appended, errs := everything(len(batch)), make([]error, len(batch))
			for i, m := range batch {
				if strings.HasSuffix(m.Key, "3") && !back.Load() {
					appended[i], errs[i] = false, errAway
				}
			}
			return appended, errs
		}
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		for range 3 {
			for id := range int64(1000) {
				o.add("task-events", id)
			}
		}
		eventually(t, 10*time.Second, func() bool { return o.count(isPublished) == 2700 })
		for range 600 { // ten minutes with traffic
			o.add("task-events", 1)
			_ = sleep(t.Context(), time.Second)
		}
		if n := o.count(isPublished); n < 3290 {
			t.Errorf("%d events published, want all but those of the partition", n)
		}
		back.Store(true)
		eventually(t, 10*time.Second, func() bool { return o.pending() == 0 })
		stop()
		check(t, o, b)
		if n := o.count(isParked); n != 0 {
			t.Errorf("%d events parked", n)
		}
	})
}

// The oldest event fails for a reason that nobody knows and looks like an outage.
func TestRelayPassesByWhatLooksLikeAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for id := range int64(20) {
			o.add("task-events", id)
		}
		var mended atomic.Bool
		b.answer = func(_ string, batch []Message) ([]bool, []error) {
			for _, m := range batch {
				if m.Key == "0" && !mended.Load() && len(batch) > 1 {
					return nothing(len(batch)), all(len(batch), errAway) // as a publisher that doesn't look closer
				}
			}
			return refusing(func(Message) bool { return false })("", batch)
		}
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		eventually(t, time.Minute, func() bool { return o.count(isPublished) >= 19 })
		mended.Store(true)
		eventually(t, time.Minute, func() bool { return o.pending() == 0 })
		stop()
		check(t, o, b)
	})
}

func TestRelayLosesTheLead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for id := range int64(2000) {
			o.add("task-events", id)
		}
		var fast atomic.Bool
		b.delay = func() time.Duration {
			if fast.Load() {
				return 0
			}
			return time.Hour // until its context ends
		}
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		_ = sleep(t.Context(), time.Second)
		fast.Store(true)
		<-takeLead(t, o) // somebody else's turn
		before := b.callsSoFar()
		_ = sleep(t.Context(), time.Minute)
		if n := b.callsSoFar() - before; n != 0 {
			t.Errorf("%d calls without the lead", n)
		}
		if n := o.count(isPublished); n != 0 {
			t.Errorf("%d events marked after the lead was lost", n)
		}
		o.leader <- struct{}{}
		eventually(t, 5*time.Second, func() bool { return o.pending() == 0 })
		stop()
		if repeated := check(t, o, b); repeated > 800 {
			t.Errorf("%d events repeated, more than were in flight", repeated)
		}
	})
}

// takeLead takes the lead from a relay.
func takeLead(t *testing.T, o *outboxModel) <-chan struct{} {
	t.Helper()
	taken := make(chan struct{})
	go func() {
		<-o.leader
		close(taken)
	}()
	synctest.Wait()
	o.lose()
	return taken
}

func TestRelayStopsCleanly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		for id := range int64(5000) {
			o.add("task-events", id)
		}
		b.delay = func() time.Duration { return 2 * time.Second }
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		_ = sleep(t.Context(), 3*time.Second) // calls are under way
		stop()
		if published, arrived := o.count(isPublished), b.size(); published != arrived || published == 0 {
			t.Errorf("%d events arrived, %d are marked", arrived, published)
		}
		b.delay = nil
		stop = start(t, RelayOptions{Outbox: o, Publisher: b})
		eventually(t, 5*time.Second, func() bool { return o.pending() == 0 })
		stop()
		if repeated := check(t, o, b); repeated != 0 {
			t.Errorf("%d events repeated after a clean stop", repeated)
		}
	})
}

func TestRelayStopsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBroker()
		o := newOutbox(b)
		o.add("task-events", 1)
		b.delay = func() time.Duration { return time.Hour }
		o.fault = func(request string) (error, bool) {
			if request == "mark published" {
				return errAway, false
			}
			return nil, false
		}
		stop := start(t, RelayOptions{Outbox: o, Publisher: b})
		_ = sleep(t.Context(), time.Second)
		began := time.Now()
		stop()
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("a hanging call held up the end for %v", took)
		}
		b.delay = nil
		stop = start(t, RelayOptions{Outbox: o, Publisher: b})
		eventually(t, time.Second, func() bool { return b.size() == 2 })
		began = time.Now()
		stop()
		if took := time.Since(began); took > 16*time.Second {
			t.Errorf("an outbox that is away held up the end for %v", took)
		}
	})
}

func TestRelayWithTheOutboxAway(t *testing.T) {
	for _, request := range []string{"heads", "mark published", "mark failed", "lead"} {
		t.Run(request, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker()
				o := newOutbox(b)
				for id := range int64(3000) {
					o.add("task-events", id)
				}
				b.answer = refusing(func(m Message) bool { return m.ID == "task-events-5-1" && len(o.failed()) == 0 })
				var away atomic.Bool
				away.Store(true)
				var requests atomic.Int64
				o.fault = func(asked string) (error, bool) {
					if asked != request || !away.Load() {
						return nil, false
					}
					requests.Add(1)
					return errAway, false
				}
				lines := newLogLines()
				stop := start(t, RelayOptions{Outbox: o, Publisher: b, Log: slog.New(lines)})
				_ = sleep(t.Context(), time.Minute)
				if n := requests.Load(); n == 0 || n > 60 {
					t.Errorf("asked %d times in a minute", n)
				}
				away.Store(false)
				eventually(t, 10*time.Second, func() bool { return o.pending() == 0 })
				stop()
				if repeated := check(t, o, b); repeated != 0 {
					t.Errorf("%d events repeated", repeated)
				}
				if n := lines.count("outbox can't be read, relay waits") + lines.count("outbox takes no marks, relay waits") + lines.count("relay can't stand for leader"); n != 1 {
					t.Errorf("logged %d times", n)
				}
			})
		})
	}
}

func TestRelayPrunes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutbox(nil)
		began := time.Now()
		stop := start(t, RelayOptions{Outbox: o, Publisher: newBroker()})
		_ = sleep(t.Context(), time.Minute+time.Hour+time.Second)
		stop()
		want := []time.Time{ // each time until nothing is left
			began.Add(time.Minute - 7*24*time.Hour), began.Add(time.Minute - 7*24*time.Hour),
			began.Add(time.Minute + time.Hour - 7*24*time.Hour), began.Add(time.Minute + time.Hour - 7*24*time.Hour),
		}
		if diff := cmp.Diff(want, o.pruned); diff != "" {
			t.Errorf("pruned before (-want +got):\n%s", diff)
		}
	})
}

func TestRelayBoundsWhatItReadsAhead(t *testing.T) {
	tm := newTerm(NewRelay(RelayOptions{Outbox: newOutbox(nil), Publisher: newBroker()}))
	if got := tm.window(); got != 128 {
		t.Errorf("window before anything is known = %d, want 128 of the largest events", got)
	}
	tm.take([]task.Event{{Row: 1, Payload: make([]byte, 1000)}}, 1)
	if got := tm.window(); got != 1600 {
		t.Errorf("window of small events = %d, want 1600", got)
	}
}

func TestLaneBoundsACall(t *testing.T) {
	l := &lane{}
	for range 20 {
		l.put(false, task.Event{Payload: make([]byte, task.MaxEvent)})
	}
	l.put(false, task.Event{Payload: make([]byte, 5<<20)})
	var sizes []int
	for l.size() > 0 {
		sizes = append(sizes, len(l.next(time.Now(), 100, true).events))
	}
	if diff := cmp.Diff([]int{12, 8, 1}, sizes); diff != "" {
		t.Errorf("events a call (-want +got):\n%s", diff)
	}
}

func TestReasonsCanBeStored(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                  "plain",
		"nul \x00 and \xff":      "nul  and ",
		strings.Repeat("é", 400): strings.Repeat("é", 250) + "…",
	} {
		if got := clip(in); got != want {
			t.Errorf("clip(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPaces(t *testing.T) {
	for failures, most := range []time.Duration{1: time.Second, 2: 2 * time.Second, 5: 16 * time.Second, 9: 256 * time.Second, 10: 5 * time.Minute, 90: 5 * time.Minute} {
		if most == 0 {
			continue
		}
		if got := refusalPace().after(failures); got < most/2 || got > most {
			t.Errorf("after %d failures: %v, want %v to %v", failures, got, most/2, most)
		}
	}
}

func TestRefusals(t *testing.T) {
	if !errors.Is(ErrTopicRefused, ErrRefused) {
		t.Error("ErrTopicRefused is no ErrRefused")
	}
	for err, want := range map[error]string{
		fmt.Errorf("x: %w", ErrTopicRefused): failTopic,
		fmt.Errorf("x: %w", ErrRefused):      failRefused,
		context.DeadlineExceeded:             failOutage,
	} {
		if got := failureKind(err); got != want {
			t.Errorf("failureKind(%v) = %s, want %s", err, got, want)
		}
	}
}
