package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

// aCompleted is a completed task that recurs, and the change for the next one.
func aCompleted(t *testing.T, s *Store) (task.Task, *task.Change) {
	t.Helper()
	c := create("u", "water the plants")
	c.Patch.DueDate = ptr(time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC))
	c.Patch.Recurrence = ptr("monthly")
	c.Patch.RemindBefore = ptr(ptr(60))
	done := change(t, s, toggle("u", change(t, s, c).ID))
	next, ok := done.Next()
	if !ok {
		t.Fatal("no next task")
	}
	return done, &next
}

func handle(t *testing.T, s *Store, consumer, event string, c *task.Change) bool {
	t.Helper()
	fresh, err := s.Handle(t.Context(), consumer, event, c)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

func TestNextTaskIsMadeOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		done, next := aCompleted(t, s)
		for i, want := range []bool{true, false, false} {
			if fresh := handle(t, s, "recurrence", "event 1", next); fresh != want {
				t.Errorf("time %d: fresh %v", i+1, fresh)
			}
		}
		page, err := s.Tasks(t.Context(), "u", task.Query{Sort: "id"})
		if err != nil || page.Total != 2 {
			t.Fatalf("%+v, %v; want two tasks", page, err)
		}
		made := page.Tasks[1]
		if made.DueDate.Format(time.DateOnly) != "2026-02-28" || made.PreviousID == nil || *made.PreviousID != done.ID || !made.RecurrenceStart.Equal(*done.DueDate) || made.Completed {
			t.Errorf("next task %+v", made)
		}
		same(t, "its reminder", []string{task.TypeScheduled}, reminderEvents(t, s, made.ID))

		// Completed once more, by another event: it has its next one.
		change(t, s, toggle("u", done.ID))
		change(t, s, toggle("u", done.ID))
		if !handle(t, s, "recurrence", "event 2", next) {
			t.Error("another event isn't fresh")
		}
		if n := number(t, s, "SELECT count(*) FROM tasks"); n != 2 {
			t.Errorf("%d tasks, want 2", n)
		}
		// The next one is gone: completing makes another.
		change(t, s, remove("u", made.ID))
		handle(t, s, "recurrence", "event 3", next)
		if n := number(t, s, "SELECT count(*) FROM tasks WHERE previous_id = $1", done.ID); n != 1 {
			t.Errorf("%d next tasks, want one", n)
		}
		checkWhole(t, s)
	})
}

// The same event and other events of the same task, at several replicas at once.
func TestNextTaskRaceHasOneWinner(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url)}
		for round := range 5 {
			done, next := aCompleted(t, stores[0])
			var fresh atomic.Int64
			inParallel(12, func(i int) {
				is, err := stores[i%2].Handle(context.Background(), "recurrence", fmt.Sprintf("%d of round %d", i/4, round), next)
				if err != nil {
					t.Error(err)
				}
				if is {
					fresh.Add(1)
				}
			})
			if n := number(t, stores[0], "SELECT count(*) FROM tasks WHERE previous_id = $1", done.ID); n != 1 || fresh.Load() != 3 {
				t.Errorf("%d next tasks, %d fresh; want 1 and 3", n, fresh.Load())
			}
		}
		checkWhole(t, stores[0])
	})
}

func TestHandle(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		if !handle(t, s, "a", "e", nil) || handle(t, s, "a", "e", nil) || !handle(t, s, "b", "e", nil) || !handle(t, s, "a", "f", nil) {
			t.Error("events are told apart by consumer and id, each fresh once")
		}
		bad := create("u", "")
		var invalid *task.InvalidError
		if _, err := s.Handle(t.Context(), "a", "bad", &bad); !errors.As(err, &invalid) {
			t.Errorf("bad change: %v, want an InvalidError", err)
		}
		handled, err := s.Handled(t.Context(), "e", []string{"c", "b", "a"})
		if diff := cmp.Diff([]string{"b", "a"}, handled); diff != "" || err != nil {
			t.Errorf("handled by, %v (-want +got):\n%s", err, diff)
		}
		if handled, err := s.Handled(t.Context(), "bad", []string{"a"}); handled != nil || err != nil {
			t.Errorf("handled by %v, %v; want none", handled, err)
		}
		if !handle(t, s, "a", "bad", nil) {
			t.Error("an event whose change failed counts as handled")
		}
		for _, text := range []string{"", "a\x00b", "\xff", strings.Repeat("x", maxKey+1)} {
			if _, err := s.Handle(t.Context(), "a", text, nil); !errors.As(err, &invalid) {
				t.Errorf("event id %.10q: %v, want an InvalidError", text, err)
			}
			if _, err := s.Handled(t.Context(), text, []string{"a"}); !errors.As(err, &invalid) {
				t.Errorf("event id %.10q: %v, want an InvalidError", text, err)
			}
			if _, err := s.Accept(t.Context(), "a", "e", []task.Delivery{{Consumer: text}}); !errors.As(err, &invalid) {
				t.Errorf("consumer %.10q: %v, want an InvalidError", text, err)
			}
		}
		c := create("u", "twice in one transaction")
		r := receipt{"a", "g"}
		requests := []*request{{receipt: &r, change: &c}, {receipt: &r, change: &c}}
		s.write(t.Context(), requests)
		if requests[0].err != nil || requests[1].err != nil || requests[0].result.Replayed || !requests[1].result.Replayed {
			t.Errorf("%+v and %+v, want one fresh", requests[0], requests[1])
		}
		if n := number(t, s, "SELECT count(*) FROM tasks"); n != 1 {
			t.Errorf("%d tasks, want 1", n)
		}
	})
}
