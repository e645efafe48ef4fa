package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

// An at is an event by task and sequence.
type at struct{ Task, Sequence int64 }

func heads(t testing.TB, s *Store, limit int) ([]at, []task.Event) {
	t.Helper()
	events, err := s.Heads(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	list := make([]at, len(events))
	for i, e := range events {
		list[i] = at{e.TaskID, e.Sequence}
	}
	return list, events
}

func TestHeads(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		check := func(step string, want ...at) []task.Event {
			t.Helper()
			got, events := heads(t, s, 10)
			if diff := cmp.Diff(append([]at{}, want...), got); diff != "" {
				t.Errorf("%s: heads (-want +got):\n%s", step, diff)
			}
			return events
		}
		check("empty")
		a := change(t, s, create("u", "a")).ID
		b := change(t, s, create("u", "b")).ID
		change(t, s, toggle("u", a))
		change(t, s, toggle("u", a))
		events := check("one of each task", at{a, 1}, at{b, 1})
		if limited, _ := heads(t, s, 1); !cmp.Equal(limited, []at{{a, 1}}) {
			t.Errorf("with limit 1: %v", limited)
		}

		fail := func(e task.Event, park bool) {
			t.Helper()
			failure := task.Failure{Row: e.Row, Reason: "refused", RetryAt: clock.Now().Add(time.Minute), Park: park}
			if err := s.MarkFailed(t.Context(), []task.Failure{failure}); err != nil {
				t.Fatal(err)
			}
		}
		fail(events[0], false)
		check("a waits for its next attempt, its later events too", at{b, 1})
		clock.advance(time.Minute)
		if again := check("a is due again", at{a, 1}, at{b, 1}); again[0].Attempts != 1 {
			t.Errorf("attempts %d, want 1", again[0].Attempts)
		}
		fail(events[0], true)
		clock.advance(time.Hour)
		check("a is parked", at{b, 1})
		if got, want := outbox(t, s)[0], (entry{events[0].Row, a, 1, task.TypeCreated, 2, "refused", false, true}); got != want {
			t.Errorf("parked row %+v, want %+v", got, want)
		}

		if err := s.MarkPublished(t.Context(), []int64{events[1].Row, events[1].Row}); err != nil {
			t.Fatal(err)
		}
		check("b is published")
		change(t, s, toggle("u", b))
		check("b goes on", at{b, 2})
		fail(events[1], true) // a late word of a leader that was paused
		if got := outbox(t, s)[1]; got.Parked || got.Attempts != 0 {
			t.Errorf("a published row was failed: %+v", got)
		}
		mustExec(t, s, "UPDATE outbox SET parked_at = NULL")
		check("a is released", at{a, 1}, at{b, 2})
		if left, err := s.Heads(t.Context(), 10, events[0].Row); err != nil || len(left) != 1 || left[0].TaskID != b {
			t.Errorf("with the head of a held: %v, %v; want that of b alone", left, err)
		}
	})
}

// Each topic of a task has a head of its own: a parked one holds up no other topic.
func TestHeadsOfEachTopic(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		id := change(t, s, remindAt("a", time.Now().Add(time.Hour))).ID
		change(t, s, toggle("u", id))
		topics := func() (all []string) {
			_, events := heads(t, s, 10)
			for _, e := range events {
				all = append(all, fmt.Sprint(e.Topic, " ", e.Sequence))
			}
			return all
		}
		same(t, "heads", []string{"task-events 1", "task-updates 1", "reminders 1"}, topics())
		failHead(t, s, id, task.Failure{Park: true}) // the oldest
		_, events := heads(t, s, 10)
		if err := s.MarkPublished(t.Context(), []int64{events[0].Row, events[1].Row}); err != nil {
			t.Fatal(err)
		}
		same(t, "heads behind", []string{"task-updates 2", "reminders 2"}, topics())
	})
}

// An event made before the clock was put back is due, and one that was put off
// doesn't wait for the clock to come round again.
func TestHeadsAfterTheClockWasPutBack(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		a := change(t, s, create("u", "a")).ID
		b := change(t, s, create("u", "b")).ID
		_, events := heads(t, s, 10)
		failure := task.Failure{Row: events[0].Row, Reason: "refused", RetryAt: clock.Now().Add(5 * time.Minute)}
		if err := s.MarkFailed(t.Context(), []task.Failure{failure}); err != nil {
			t.Fatal(err)
		}
		if got, _ := heads(t, s, 10); !cmp.Equal(got, []at{{b, 1}}) {
			t.Errorf("before: heads %v, want that of b alone", got)
		}
		clock.advance(-time.Hour)
		if got, _ := heads(t, s, 10); !cmp.Equal(got, []at{{a, 1}, {b, 1}}) {
			t.Errorf("after: heads %v, want both", got)
		}
	})
}

func TestBacklog(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		check := func(want task.Backlog) {
			t.Helper()
			got, err := s.Backlog(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("backlog (-want +got):\n%s", diff)
			}
		}
		check(task.Backlog{})
		start := clock.Now()
		change(t, s, create("u", "a"))
		clock.advance(time.Second)
		change(t, s, create("u", "b"))
		check(task.Backlog{Pending: 2, Oldest: start})
		_, events := heads(t, s, 1)
		if err := s.MarkFailed(t.Context(), []task.Failure{{Row: events[0].Row, Park: true}}); err != nil {
			t.Fatal(err)
		}
		check(task.Backlog{Pending: 1, Parked: 1, Oldest: clock.Now()})
	})
}

// One task with thousands of events at the front must not hide the others, and
// all of the others must get their turn.
func TestHeadsBehindOneBusyTask(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := onTaskEvents(t, openStore(t, url))
		busy := change(t, s, create("u", "busy")).ID
		var toggles []task.Change
		for range 3 * window {
			toggles = append(toggles, toggle("u", busy))
		}
		for _, r := range queueUp(s, toggles...) {
			if r.err != nil {
				t.Fatal(r.err)
			}
		}
		var others []task.Change
		for i := range 2 * window {
			others = append(others, create("u", fmt.Sprint(i)))
		}
		queueUp(s, others...)
		seen := map[at]bool{}
		for range 500 {
			list, events := heads(t, s, 100)
			rows := make([]int64, len(events))
			for i, e := range events {
				if seen[list[i]] {
					t.Fatalf("%v came twice, though marked", list[i])
				}
				seen[list[i]] = true
				rows[i] = e.Row
			}
			if err := s.MarkPublished(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
			if len(seen) > 2*window && onlyBusy(list, busy) {
				break
			}
		}
		if n := number(t, s, "SELECT count(*) FROM outbox WHERE task_id <> $1 AND published_at IS NULL", busy); n != 0 {
			t.Errorf("%d events of other tasks were never offered", n)
		}
		for seq := int64(1); seen[at{busy, seq + 1}]; seq++ {
			if !seen[at{busy, seq}] {
				t.Errorf("event %d of the busy task was passed over", seq)
			}
		}
	})
}

func onlyBusy(list []at, busy int64) bool {
	return len(list) == 1 && list[0].Task == busy
}

func TestPrune(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		var changes []task.Change
		for i := range pruneStep + 10 {
			changes = append(changes, keyed(create("u", "old"), fmt.Sprint(i), "f"))
		}
		queueUp(s, changes...)
		rows := outbox(t, s)
		var published []int64
		for _, e := range rows[1:] { // the first one waits on
			published = append(published, e.Row)
		}
		if err := s.MarkPublished(t.Context(), published); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Hour)
		change(t, s, keyed(create("u", "young"), "young", "f"))
		before := clock.Now()
		_, young := heads(t, s, 2)
		if err := s.MarkPublished(t.Context(), []int64{young[1].Row}); err != nil {
			t.Fatal(err)
		}
		n, err := s.Prune(t.Context(), before)
		if err != nil || n != len(published)+len(changes) {
			t.Errorf("pruned %d rows, %v; want %d", n, err, len(published)+len(changes))
		}
		left := outbox(t, s)
		if len(left) != 2 || left[0].Row != rows[0].Row || left[1].Row != young[1].Row {
			t.Errorf("left are %+v, want the waiting row and the young one", left)
		}
		if keys := number(t, s, "SELECT count(*) FROM idempotency_keys"); keys != 1 {
			t.Errorf("%d idempotency keys left, want 1", keys)
		}
		if n, err := s.Prune(t.Context(), before); n != 0 || err != nil {
			t.Errorf("second time: %d, %v; want 0", n, err)
		}
	})
}
