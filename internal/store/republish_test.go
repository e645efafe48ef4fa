package store

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// publishAll plays the relay: it publishes heads until none is left and tells of
// each in order.
func publishAll(ctx context.Context, s *Store, published func(task.Event)) error {
	for {
		events, err := s.Heads(ctx, 500)
		if err != nil || len(events) == 0 {
			return err
		}
		var rows []int64
		for _, e := range events {
			published(e)
			rows = append(rows, e.Row)
		}
		if err := s.MarkPublished(ctx, rows); err != nil {
			return err
		}
	}
}

// everything selects all that was published before now.
func everything() Republication { return Republication{Until: time.Now().Add(time.Hour)} }

func TestRepublishRepeatsInOrder(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		a := change(t, s, create("u", "a")).ID
		b := change(t, s, create("u", "b")).ID
		failHead(t, s, b, task.Failure{Reason: "refused", Park: true})
		if _, err := s.Retry(t.Context(), Selection{}, false); err != nil {
			t.Fatal(err)
		}
		var first, second []string
		if err := publishAll(t.Context(), s, func(e task.Event) { first = append(first, e.ID) }); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Hour)
		lost := clock.Now()
		for range 2 {
			change(t, s, toggle("u", a))
		}
		var late []string
		if err := publishAll(t.Context(), s, func(e task.Event) { late = append(late, e.ID) }); err != nil {
			t.Fatal(err)
		}
		clock.advance(time.Hour)
		change(t, s, toggle("u", a)) // pending meanwhile

		check := func(what string, r Republication, want int) {
			t.Helper()
			if n, err := s.Republish(t.Context(), r); n != want || err != nil {
				t.Errorf("%s: %d, %v; want %d", what, n, err, want)
			}
		}
		all := Republication{Until: clock.Now()}
		dry := all
		dry.DryRun = true
		check("dry run", dry, 4)
		check("before anything", Republication{Until: clock.Now().Add(-3 * time.Hour)}, 0)
		check("another topic", Republication{Until: clock.Now(), Selection: Selection{Topic: "reminders"}}, 0)
		same(t, "heads after nothing", []listed{{a, 4, Due, 0}}, waiting(t, s, WaitingQuery{}))

		check("since the loss", Republication{Since: lost, Until: clock.Now()}, 2)
		check("again", Republication{Since: lost, Until: clock.Now()}, 0)
		same(t, "after the loss", []listed{{a, 2, Due, 0}, {a, 3, Queued, 2}, {a, 4, Queued, 2}}, waiting(t, s, WaitingQuery{}))
		check("task b", Republication{Until: clock.Now(), Selection: Selection{Topic: task.Topic, TaskID: b}}, 1)
		check("the rest", all, 1)
		if err := publishAll(t.Context(), s, func(e task.Event) { second = append(second, e.ID) }); err != nil {
			t.Fatal(err)
		}
		same(t, "events the second time", append(first, late...), second[:len(second)-1])
		check("what went out again", all, 0)
	})
}

// A relay that runs meanwhile publishes each task's events in order, those that
// are made meanwhile after those that go out again.
func TestRepublishWhileRelayAndWriterRun(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s, operator := onTaskEvents(t, openStore(t, url)), openStore(t, url)
		const tasks, each = sweepStep / 3, 4
		fill(t, s, tasks, each)
		if err := publishAll(t.Context(), s, func(task.Event) {}); err != nil {
			t.Fatal(err)
		}
		r := Republication{Until: time.Now()}

		var published []task.Event
		done := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			look := time.NewTicker(10 * time.Millisecond)
			defer look.Stop()
			for over := false; !over; {
				select {
				case <-done:
					over = true
				case <-look.C:
				}
				if err := publishAll(context.Background(), s, func(e task.Event) { published = append(published, e) }); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			for id := int64(1); id <= tasks; id += 20 {
				if _, err := s.Change(context.Background(), toggle("u", id)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		var steps []int
		r.Progress = func(n int) { steps = append(steps, n) }
		n, err := operator.Republish(t.Context(), r)
		close(done)
		wg.Wait()
		if n != tasks*each || err != nil {
			t.Errorf("republished %d, %v; want %d", n, err, tasks*each)
		}
		if len(steps) < 2 || !slices.IsSorted(steps) || steps[len(steps)-1] != n {
			t.Errorf("progress %v, want two steps or more up to %d", steps, n)
		}
		checkTwice(t, published, tasks, each)
	})
}

// checkTwice expects each task's events 1 to each in order, and the one that was
// made meanwhile before or after them, never between.
func checkTwice(t *testing.T, published []task.Event, tasks, each int) {
	t.Helper()
	byTask := map[int64][]int64{}
	for _, e := range published {
		byTask[e.TaskID] = append(byTask[e.TaskID], e.Sequence)
	}
	if len(byTask) != tasks {
		t.Errorf("%d tasks published again, want %d", len(byTask), tasks)
	}
	want, last := []int64{1, 2, 3, 4}, int64(each)+1
	for id, got := range byTask {
		if !slices.Equal(got, want) && !slices.Equal(got, append(want[:each:each], last)) && !slices.Equal(got, append([]int64{last}, want...)) {
			t.Fatalf("task %d: sequences %v, want %v, and %d before or after", id, got, want, last)
		}
	}
}

func TestRepublishGoesOnAfterAnInterruption(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := onTaskEvents(t, openStore(t, url))
		const n = sweepStep + 100
		fill(t, s, n, 1)
		if err := publishAll(t.Context(), s, func(task.Event) {}); err != nil {
			t.Fatal(err)
		}
		ctx, interrupt := context.WithCancel(t.Context())
		r := everything()
		r.Until = time.Now()
		r.Progress = func(int) { interrupt() }
		done, err := s.Republish(ctx, r)
		if !errors.Is(err, context.Canceled) || done == 0 || done == n {
			t.Fatalf("interrupted after %d, %v; want a part and context.Canceled", done, err)
		}
		if err := publishAll(t.Context(), s, func(task.Event) {}); err != nil {
			t.Fatal(err)
		}
		r.Progress = nil
		if rest, err := s.Republish(t.Context(), r); rest != n-done || err != nil {
			t.Errorf("the rest: %d, %v; want %d", rest, err, n-done)
		}
	})
}

// What was released is never pruned, however old it is.
func TestPruneLeavesWhatIsRepublished(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := onTaskEvents(t, openStore(t, url))
		fill(t, s, 3, 1)
		if err := publishAll(t.Context(), s, func(task.Event) {}); err != nil {
			t.Fatal(err)
		}
		r := everything()
		r.TaskID = 2
		if n, err := s.Republish(t.Context(), r); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := s.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		same(t, "left", []listed{{2, 1, Due, 0}}, waiting(t, s, WaitingQuery{}))
	})
}
