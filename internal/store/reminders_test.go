package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// remindAt creates a task with a reminder.
func remindAt(title string, at time.Time) task.Change {
	c := create("u", title)
	c.Patch.RemindAt = &at
	return c
}

func claimed(t *testing.T, s *Store, limit int, maxLateness time.Duration) Claimed {
	t.Helper()
	c, err := s.ClaimReminders(t.Context(), limit, maxLateness)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// reminderEvents are the types of a task's events on reminders, in order.
func reminderEvents(t *testing.T, s *Store, id int64) []string {
	t.Helper()
	var kinds []string
	err := s.db.read(t.Context(), query{
		sql: "SELECT type FROM outbox WHERE topic = 'reminders' AND task_id = $1 ORDER BY seq", args: []any{id},
		row: func(scan scanner) error {
			var kind string
			err := scan(&kind)
			kinds = append(kinds, kind)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

func TestReminderComesOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		same(t, "without tasks", Claimed{}, claimed(t, s, 10, time.Hour))
		start := clock.Now()
		first := change(t, s, remindAt("first", start.Add(time.Minute))).ID
		second := create("u", "second")
		second.Patch.DueDate, second.Patch.RemindBefore = ptr(start.Add(time.Hour)), ptr(ptr(58))
		late := change(t, s, second).ID
		change(t, s, create("u", "without"))

		same(t, "too early", Claimed{Next: start.Add(time.Minute)}, claimed(t, s, 10, time.Hour))
		clock.advance(time.Minute)
		same(t, "on time", Claimed{Sent: 1, Next: start.Add(2 * time.Minute)}, claimed(t, s, 10, time.Hour))
		same(t, "again", Claimed{Next: start.Add(2 * time.Minute)}, claimed(t, s, 10, time.Hour))
		clock.advance(time.Minute)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		clock.advance(10 * time.Minute) // stopped meanwhile
		s = openStore(t, url, Options{Now: clock.Now})
		<-claimedSignal(t, s, func() { same(t, "late", Claimed{Sent: 1}, claimed(t, s, 10, time.Hour)) })
		for _, id := range []int64{first, late} {
			same(t, "events", []string{task.TypeScheduled, task.TypeDue}, reminderEvents(t, s, id))
			change(t, s, toggle("u", id))
			change(t, s, toggle("u", id))
		}
		same(t, "after reopening", Claimed{}, claimed(t, s, 10, time.Hour))
		payload := dueEvent(t, s, late)
		if !strings.Contains(payload, `"late":true,"delay_ms":600000}`) || !strings.Contains(payload, `"title":"second"`) {
			t.Errorf("late event %s", payload)
		}
		checkWhole(t, s)
	})
}

// claimedSignal is what Changed gives after f.
func claimedSignal(t *testing.T, s *Store, f func()) <-chan struct{} {
	t.Helper()
	select {
	case <-s.Changed():
	default:
	}
	f()
	return s.Changed()
}

func dueEvent(t *testing.T, s *Store, id int64) (payload string) {
	t.Helper()
	err := s.db.read(t.Context(), query{
		sql: "SELECT payload FROM outbox WHERE type = 'reminder.due' AND task_id = $1", args: []any{id},
		row: func(scan scanner) error {
			var text []byte
			err := scan(&text)
			payload = string(text)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

func TestReminderFollowsItsTask(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		start := clock.Now()
		at := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
		var ids []int64
		for _, title := range []string{"moved", "completed", "deleted", "missed"} {
			ids = append(ids, change(t, s, remindAt(title, at(1))).ID)
		}
		move := rename("u", ids[0], "moved away")
		move.Patch.RemindAt = ptr(at(200))
		change(t, s, move)
		change(t, s, toggle("u", ids[1]))
		change(t, s, remove("u", ids[2]))
		clock.advance(2 * time.Hour)
		got := claimed(t, s, 10, time.Hour)
		want := Claimed{Missed: []task.Reminder{{TaskID: ids[3], DueAt: at(1), State: task.Missed, Sequence: 1}}, Next: at(200)}
		same(t, "claimed", want, got)
		same(t, "again", Claimed{Next: at(200)}, claimed(t, s, 10, time.Hour))
		clock.advance(81 * time.Minute)
		same(t, "at the new time", Claimed{Sent: 1}, claimed(t, s, 10, time.Hour))
		for i, want := range [][]string{
			{task.TypeScheduled, task.TypeScheduled, task.TypeDue}, {task.TypeScheduled, task.TypeCancelled},
			{task.TypeScheduled, task.TypeCancelled}, {task.TypeScheduled},
		} {
			same(t, fmt.Sprint("events of task ", ids[i]), want, reminderEvents(t, s, ids[i]))
		}
		if n := number(t, s, "SELECT count(*) FROM reminders WHERE task_id = $1", ids[2]); n != 0 {
			t.Error("the reminder of a deleted task is kept")
		}
		checkWhole(t, s)
	})
}

// Several changes of one task in one transaction see each other's reminder.
func TestRemindersWithinATransaction(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		made := change(t, s, remindAt("a", time.Now().Add(time.Hour)))
		gone := change(t, s, remindAt("b", time.Now().Add(time.Hour)))
		for i, r := range queueUp(s, toggle("u", made.ID), toggle("u", made.ID), toggle("u", made.ID), toggle("u", gone.ID), remove("u", gone.ID)) {
			if r.err != nil {
				t.Errorf("change %d: %v", i, r.err)
			}
		}
		same(t, "events", []string{task.TypeScheduled, task.TypeCancelled, task.TypeScheduled, task.TypeCancelled}, reminderEvents(t, s, made.ID))
		same(t, "events of the deleted one", []string{task.TypeScheduled, task.TypeCancelled}, reminderEvents(t, s, gone.ID))
		checkWhole(t, s)
	})
}

// Of several claimers, with changes of the same tasks meanwhile, each reminder falls due
// once.
func TestClaimersTakeEachReminderOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url), openStore(t, url)}
		const n = 90
		var changes []task.Change
		for i := range n {
			changes = append(changes, remindAt(fmt.Sprint(i), time.Now().Add(-time.Minute)))
		}
		made := queueUp(stores[0], changes...)
		var sent [6]int
		inParallel(9, func(i int) {
			s := stores[i%3]
			if i >= 6 {
				for _, r := range made {
					if _, err := s.Change(context.Background(), rename("u", r.result.Task.ID, fmt.Sprint("by ", i))); err != nil {
						t.Error(err)
					}
				}
				return
			}
			for {
				c, err := s.ClaimReminders(context.Background(), 7, time.Hour)
				if err != nil {
					t.Error(err)
					return
				}
				sent[i] += c.Sent
				if c.Next.IsZero() {
					return
				}
			}
		})
		total := 0
		for _, n := range sent {
			total += n
		}
		if events := number(t, stores[0], "SELECT count(*) FROM outbox WHERE type = 'reminder.due'"); total != n || events != n {
			t.Errorf("%d reminders sent by %v, %d events, want %d", total, sent, events, n)
		}
		checkWhole(t, stores[0])
	})
}

// Changes that cancel and set reminders race with claims: the sequences stay whole, and
// nothing is sent for a completed task.
func TestClaimsRaceWithChanges(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url)}
		var ids []int64
		for i := range 4 {
			ids = append(ids, change(t, stores[0], remindAt(fmt.Sprint(i), time.Now().Add(-time.Minute))).ID)
		}
		inParallel(8, func(i int) {
			for round := range 25 {
				if i%2 == 0 {
					if _, err := stores[i/2%2].ClaimReminders(context.Background(), 2, time.Hour); err != nil {
						t.Error(err)
					}
					continue
				}
				c := rename("u", ids[i/2], fmt.Sprint("round ", round))
				c.Patch.RemindAt = ptr(time.Now().Add(-time.Duration(round) * time.Second))
				if _, err := stores[i/2%2].Change(context.Background(), c); err != nil {
					t.Error(err)
				}
			}
		})
		checkWhole(t, stores[0])
	})
}

// A claim that can't be written leaves everything as it was.
func TestFailedClaimChangesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		made := change(t, s, remindAt("a", time.Now().Add(-time.Minute)))
		refuse := map[bool][2]string{
			true:  {"CREATE TRIGGER refuse BEFORE INSERT ON outbox WHEN new.type = 'reminder.due' BEGIN SELECT RAISE(ABORT, 'refused'); END", "DROP TRIGGER refuse"},
			false: {"ALTER TABLE outbox ADD CONSTRAINT refuse CHECK (type <> 'reminder.due')", "ALTER TABLE outbox DROP CONSTRAINT refuse"},
		}[s.db.sharedWriter()]
		mustExec(t, s, refuse[0])
		if c, err := s.ClaimReminders(t.Context(), 10, time.Hour); err == nil || c.Sent != 0 {
			t.Errorf("claimed %+v, %v; want an error", c, err)
		}
		mustExec(t, s, refuse[1])
		if c := claimed(t, s, 10, time.Hour); c.Sent != 1 {
			t.Errorf("afterwards %+v, want the reminder", c)
		}
		same(t, "events", []string{task.TypeScheduled, task.TypeDue}, reminderEvents(t, s, made.ID))
	})
}

func TestClaimTakesTheOldestFirst(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		for i := range 5 {
			change(t, s, remindAt(fmt.Sprint(i), clock.Now().Add(-time.Duration(i)*time.Minute)))
		}
		got := claimed(t, s, 2, 0) // whatever is late is missed
		if len(got.Missed) != 2 || got.Missed[0].TaskID != 5 || got.Missed[1].TaskID != 4 || !got.Next.Equal(clock.Now().Add(-2*time.Minute)) {
			t.Errorf("claimed %+v, want tasks 5 and 4, and that more are due", got)
		}
	})
}
