package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

func TestChangeKeepsTaskAndEvents(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		c := create("u1", "Buy Groceries")
		c.Traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		c.Patch.Description = ptr("milk, Straße, 牛奶")
		c.Patch.Priority = ptr(task.Urgent)
		c.Patch.Tags = ptr([]string{"home", `qu"ote`})
		c.Patch.DueDate = ptr(clock.Now().Add(time.Hour))
		c.Patch.RemindAt = ptr(clock.Now().Add(time.Minute))
		c.Patch.RemindBefore = ptr(ptr(90))
		c.Patch.Timezone = ptr("Europe/Berlin")
		c.Patch.Channels = ptr([]string{"email", "push"})
		c.RecurrenceStart = ptr(clock.Now().Add(-time.Hour))
		c.PreviousID = 41
		c.Patch.Recurrence = ptr("FREQ=WEEKLY;BYDAY=MO")
		c.Patch.RecurrenceEnd = ptr(clock.Now().AddDate(1, 0, 0))
		made := change(t, s, c)
		id := made.ID

		steps := []struct {
			change task.Change
			kind   string
		}{
			{rename("u1", id, "Buy food"), task.TypeUpdated},
			{toggle("u1", id), task.TypeCompleted},
			{toggle("u1", id), task.TypeReopened},
			{remove("u1", id), task.TypeDeleted},
		}
		kinds := []string{task.TypeCreated}
		if diff := cmp.Diff(made, mustTask(t, s, "u1", id)); diff != "" {
			t.Errorf("stored task differs from the answer (-answer +stored):\n%s", diff)
		}
		for _, step := range steps {
			clock.advance(time.Second)
			answer := change(t, s, step.change)
			kinds = append(kinds, step.kind)
			if step.kind == task.TypeDeleted {
				break
			}
			if diff := cmp.Diff(answer, mustTask(t, s, "u1", id)); diff != "" {
				t.Errorf("after %s (-answer +stored):\n%s", step.kind, diff)
			}
		}
		if _, err := s.Task(t.Context(), "u1", id); !errors.Is(err, task.ErrNotFound) {
			t.Errorf("deleted task: %v, want ErrNotFound", err)
		}
		if diff := cmp.Diff(kinds, drain(t, s, id)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func mustTask(t *testing.T, s *Store, user string, id int64) task.Task {
	t.Helper()
	got, err := s.Task(t.Context(), user, id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// drain publishes all events of a task as a relay does and returns the types of those
// on task-events, having checked what every event must have.
func drain(t *testing.T, s *Store, id int64) []string {
	t.Helper()
	kinds := map[string][]string{}
	for {
		heads, err := s.Heads(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(heads) == 0 {
			if n := len(kinds[task.Topic]); len(kinds[task.UpdatesTopic]) != n {
				t.Errorf("%d events on task-events, %d on task-updates", n, len(kinds[task.UpdatesTopic]))
			}
			return kinds[task.Topic]
		}
		for _, e := range heads {
			if e.TaskID == id {
				checkEvent(t, e, len(kinds[e.Topic])+1)
				kinds[e.Topic] = append(kinds[e.Topic], e.Type)
			}
			if err := s.MarkPublished(t.Context(), []int64{e.Row}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func checkEvent(t *testing.T, e task.Event, sequence int) {
	t.Helper()
	var cloud struct{ ID, Type, Sequence, Time, Traceparent string }
	if err := json.Unmarshal(e.Payload, &cloud); err != nil {
		t.Fatalf("payload: %v", err)
	}
	if cloud.ID != e.ID || cloud.Type != e.Type || cloud.Traceparent != e.Traceparent {
		t.Errorf("event %+v and its payload %+v differ", e, cloud)
	}
	if at, err := time.Parse(time.RFC3339Nano, cloud.Time); err != nil || !at.Equal(e.Time) {
		t.Errorf("event made at %v has time %q in its payload", e.Time, cloud.Time)
	}
	if e.Sequence != int64(sequence) || cloud.Sequence != fmt.Sprint(sequence) {
		t.Errorf("event on %s has sequence %d (%s in its payload), want %d", e.Topic, e.Sequence, cloud.Sequence, sequence)
	}
}

func TestChangeWithoutEffectWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		made := change(t, s, create("u1", "same"))
		<-s.Changed()
		if diff := cmp.Diff(made, change(t, s, rename("u1", made.ID, "same"))); diff != "" {
			t.Errorf("the task changed (-before +after):\n%s", diff)
		}
		if rows := outbox(t, s); len(rows) != 2 {
			t.Errorf("outbox holds %v, want the two events of the creation only", rows)
		}
		select {
		case <-s.Changed():
			t.Error("Changed told of a commit without events")
		default:
		}
	})
}

func TestTaskIDsAreNeverReused(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		first := change(t, s, create("u1", "first"))
		change(t, s, remove("u1", first.ID))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if second := change(t, openStore(t, url), create("u1", "second")); second.ID <= first.ID {
			t.Errorf("id %d after id %d was deleted", second.ID, first.ID)
		}
	})
}

func TestBadChangesFailAlone(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		mine := change(t, s, create("u1", "mine"))
		stale := toggle("u1", mine.ID)
		stale.IfMatch = []int64{7}
		long := create("u1", "long")
		long.Patch.Description = ptr(string(make([]byte, task.MaxDescription+1)))
		got := queueUp(s,
			create("u1", "good"), create("u1", ""), long, rename("u1", 1<<40, "missing"),
			rename("u2", mine.ID, "stolen"), remove("u2", mine.ID), stale, rename("u1", mine.ID, "renamed"),
			toggle("u1", mine.ID), remove("u1", mine.ID), toggle("u1", mine.ID), create("u1", "good too"))

		errInvalid := errors.New("an InvalidError")
		for i, want := range []error{nil, errInvalid, errInvalid, task.ErrNotFound, task.ErrNotFound, task.ErrNotFound,
			task.ErrStale, nil, nil, nil, task.ErrNotFound, nil} {
			err := got[i].err
			var invalid *task.InvalidError
			if errors.As(err, &invalid) {
				err = errInvalid
			}
			if !errors.Is(err, want) {
				t.Errorf("change %d: %v, want %v", i, got[i].err, want)
			}
		}
		if title := got[8].result.Task.Title; title != "renamed" || got[8].result.Task.Sequence != 3 {
			t.Errorf("the toggle saw title %q at sequence %d, want renamed at 3", title, got[8].result.Task.Sequence)
		}
		want := []string{task.TypeCreated, task.TypeUpdated, task.TypeCompleted, task.TypeDeleted}
		if diff := cmp.Diff(want, drain(t, s, mine.ID)); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		checkWhole(t, s)
	})
}

// What one request can't store, even unforeseen, must not fail the others of its
// transaction.
func TestUnstorableRowFailsAlone(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		mustExec(t, s, map[bool]string{
			true:  "CREATE TRIGGER refuse BEFORE INSERT ON tasks WHEN new.title = 'bad' BEGIN SELECT RAISE(ABORT, 'refused'); END",
			false: "ALTER TABLE tasks ADD CONSTRAINT refuse CHECK (title <> 'bad')",
		}[s.db.sharedWriter()])
		var changes []task.Change
		for i := range 20 {
			changes = append(changes, create("u1", fmt.Sprint("good ", i)))
		}
		changes[13] = create("u1", "bad")
		for i, r := range queueUp(s, changes...) {
			if failed := r.err != nil; failed != (i == 13) {
				t.Errorf("change %d: %v", i, r.err)
			}
			if errors.Is(r.err, task.ErrUnavailable) {
				t.Errorf("change %d blames the database: %v", i, r.err)
			}
		}
		if n := number(t, s, "SELECT count(*) FROM tasks"); n != 19 {
			t.Errorf("%d tasks stored, want 19", n)
		}
		checkWhole(t, s)
	})
}

func mustExec(t testing.TB, s *Store, sql string, args ...any) {
	t.Helper()
	if _, err := s.db.exec(context.Background(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

func TestHostileText(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		made := change(t, s, create("u1", "mine"))
		for _, text := range []string{"\x00", "a\x00b", "\xff\xfe"} {
			bad := []task.Change{create(text, "t"), create("u1", text), rename(text, made.ID, "x")}
			withKey := create("u1", "t")
			withKey.IdempotencyKey = text
			for i, c := range append(bad, withKey) {
				_, err := s.Change(t.Context(), c)
				var invalid *task.InvalidError
				if !errors.As(err, &invalid) {
					t.Errorf("change %d with %q: %v, want an InvalidError", i, text, err)
				}
			}
			traced := create("u1", "traced")
			traced.Traceparent = text
			change(t, s, traced)
			if _, err := s.Task(t.Context(), text, made.ID); !errors.Is(err, task.ErrNotFound) {
				t.Errorf("task of user %q: %v, want ErrNotFound", text, err)
			}
			var invalid *task.InvalidError
			if _, err := s.Tasks(t.Context(), "u1", task.Query{Search: text}); !errors.As(err, &invalid) {
				t.Errorf("search for %q: %v, want an InvalidError", text, err)
			}
			if err := s.MarkFailed(t.Context(), []task.Failure{{Row: 1, Reason: text}}); err != nil {
				t.Errorf("failure for the reason %q: %v", text, err)
			}
		}
	})
}

func TestConcurrentChangesOfOneTask(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url)}
		made := change(t, stores[0], create("u1", "busy"))
		const workers, each = 16, 10
		var sequences [workers][]int64
		inParallel(workers, func(i int) {
			for range each {
				result, err := stores[i%2].Change(context.Background(), toggle("u1", made.ID))
				if err != nil {
					t.Errorf("toggle: %v", err)
					return
				}
				sequences[i] = append(sequences[i], result.Task.Sequence)
			}
		})
		all := slices.Sorted(slices.Values(slices.Concat(sequences[:]...)))
		for i, sequence := range all {
			if sequence != int64(i)+2 {
				t.Fatalf("sequences %v, want 2 to %d", all, workers*each+1)
			}
		}
		if len(all) != workers*each || len(drain(t, stores[0], made.ID)) != workers*each+1 {
			t.Errorf("%d changes answered, want %d, each with its event", len(all), workers*each)
		}
		checkWhole(t, stores[0])
	})
}

func TestIfMatchRaceHasOneWinner(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url)}
		made := change(t, stores[0], create("u1", "contested"))
		for sequence := made.Sequence; sequence < 6; sequence++ {
			var won, stale atomic.Int64
			inParallel(12, func(i int) {
				c := rename("u1", made.ID, fmt.Sprintf("by %d at %d", i, sequence))
				c.IfMatch = []int64{sequence}
				switch _, err := stores[i%2].Change(context.Background(), c); {
				case err == nil:
					won.Add(1)
				case errors.Is(err, task.ErrStale):
					stale.Add(1)
				default:
					t.Error(err)
				}
			})
			if won.Load() != 1 || stale.Load() != 11 {
				t.Fatalf("%d won and %d were stale, want 1 and 11", won.Load(), stale.Load())
			}
		}
	})
}

// checkWhole holds the database to the promise of the outbox: each task's events
// run from 1 without a gap, and up to the task's own sequence.
func checkWhole(t *testing.T, s *Store) {
	t.Helper()
	if n := number(t, s, `SELECT count(*) FROM (SELECT task_id FROM outbox GROUP BY topic, task_id
		HAVING min(seq) <> 1 OR max(seq) <> count(*)) AS gaps`); n != 0 {
		t.Errorf("%d tasks have gaps in their events", n)
	}
	if n := number(t, s, `SELECT count(*) FROM tasks t WHERE t.seq <>
		coalesce((SELECT max(o.seq) FROM outbox o WHERE o.task_id = t.id AND o.topic = 'task-events'), 0)`); n != 0 {
		t.Errorf("%d tasks aren't where their events are", n)
	}
	if n := number(t, s, `SELECT count(*) FROM reminders r WHERE r.sequence <>
		coalesce((SELECT max(o.seq) FROM outbox o WHERE o.task_id = r.task_id AND o.topic = 'reminders'), 0)`); n != 0 {
		t.Errorf("%d reminders aren't where their events are", n)
	}
	if n := number(t, s, `SELECT count(*) FROM (SELECT task_id FROM outbox
		WHERE task_id NOT IN (SELECT id FROM tasks) GROUP BY task_id
		HAVING sum(CASE WHEN type = 'task.deleted' THEN 1 ELSE 0 END) <> 1) AS phantoms`); n != 0 {
		t.Errorf("%d tasks have events but neither a row nor a deletion", n)
	}
}
