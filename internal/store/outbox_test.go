package store

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

// A listed is what tests look at in a waiting event.
type listed struct {
	Task, Sequence int64
	State          State
	Behind         int64
}

func waiting(t testing.TB, s *Store, q WaitingQuery) []listed {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	page, _, err := s.Waiting(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var list []listed
	for _, e := range page {
		list = append(list, listed{e.TaskID, e.Sequence, e.State, e.Behind})
	}
	return list
}

func same(t testing.TB, what string, want, got any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// headOf is the row of a task's head.
func headOf(t testing.TB, s *Store, id int64) task.Event {
	t.Helper()
	events, err := s.Heads(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if e.TaskID == id {
			return e
		}
	}
	t.Fatalf("task %d has no head", id)
	return task.Event{}
}

func failHead(t testing.TB, s *Store, id int64, f task.Failure) {
	t.Helper()
	f.Row = headOf(t, s, id).Row
	if err := s.MarkFailed(t.Context(), []task.Failure{f}); err != nil {
		t.Fatal(err)
	}
}

// aTroubled is an outbox with an event in every state: task a is parked at its
// first event, b put off, c due, all with a second event; d is published.
func aTroubled(t *testing.T, s *Store, clock *clock) (a, b, c, d int64) {
	t.Helper()
	ids := make([]int64, 4)
	for i := range ids {
		ids[i] = change(t, s, create("u", fmt.Sprint(i))).ID
	}
	a, b, c, d = ids[0], ids[1], ids[2], ids[3]
	for _, id := range ids[:3] {
		change(t, s, toggle("u", id))
	}
	failHead(t, s, a, task.Failure{Reason: "too large", Park: true})
	clock.advance(time.Second)
	failHead(t, s, b, task.Failure{Reason: "refused", RetryAt: clock.Now().Add(time.Minute)})
	if err := s.MarkPublished(t.Context(), []int64{headOf(t, s, d).Row}); err != nil {
		t.Fatal(err)
	}
	return a, b, c, d
}

func TestWaitingTellsWhy(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		same(t, "empty", []listed(nil), waiting(t, s, WaitingQuery{}))
		start := clock.Now()
		a, b, c, _ := aTroubled(t, s, clock)
		all := []listed{
			{a, 1, Parked, 0}, {b, 1, PutOff, 0}, {c, 1, Due, 0},
			{a, 2, Blocked, 1}, {b, 2, Blocked, 1}, {c, 2, Queued, 1},
		}
		same(t, "all", all, waiting(t, s, WaitingQuery{}))
		same(t, "parked", all[:1], waiting(t, s, WaitingQuery{Parked: true}))
		same(t, "of a task", []listed{all[1], all[4]}, waiting(t, s, WaitingQuery{Selection: Selection{TaskID: b}}))
		same(t, "of the topic", all, waiting(t, s, WaitingQuery{Selection: Selection{Topic: task.Topic}}))
		same(t, "of another topic", []listed(nil), waiting(t, s, WaitingQuery{Selection: Selection{Topic: "reminders"}}))

		page, _, err := s.Waiting(t.Context(), WaitingQuery{Selection: Selection{TaskID: a}, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		got := page[0]
		if got.LastError != "too large" || got.Attempts != 1 || !got.ParkedAt.Equal(start) || !got.Time.Equal(start) || got.Payload != nil {
			t.Errorf("parked event %+v, want it parked at %s after one attempt, without its payload", got, start)
		}
		same(t, "by id", all[:1], waiting(t, s, WaitingQuery{Selection: Selection{IDs: []string{got.ID, "01980000-0000-7000-8000-000000000000"}}}))
		page, _, err = s.Waiting(t.Context(), WaitingQuery{Limit: 1, Payload: true})
		if err != nil || !bytes.Contains(page[0].Payload, []byte(got.ID)) {
			t.Errorf("payload %q, %v; want the event's", page[0].Payload, err)
		}
	})
}

func TestWaitingPages(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := onTaskEvents(t, openStore(t, url))
		const n = 7
		for i := range n {
			change(t, s, create("u", fmt.Sprint(i)))
		}
		failHead(t, s, 4, task.Failure{Park: true})
		var got []int64
		q := WaitingQuery{Limit: 2}
		for more := true; more; {
			var page []Waiting
			var err error
			page, more, err = s.Waiting(t.Context(), q)
			if err != nil || len(page) == 0 || len(page) > q.Limit {
				t.Fatalf("page of %d, %v", len(page), err)
			}
			for _, e := range page {
				got = append(got, e.TaskID)
			}
			q.After = page[len(page)-1].Row
			change(t, s, toggle("u", 1)) // comes at the end
			if len(got) > 3*n {
				t.Fatal("the pages have no end")
			}
			if len(got) >= n {
				break
			}
		}
		same(t, "tasks on all pages", []int64{1, 2, 3, 4, 5, 6, 7}, got[:n])
	})
}

func TestOverview(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		o, err := s.Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		same(t, "empty", Overview{}, o)
		start := clock.Now()
		_, b, _, _ := aTroubled(t, s, clock)
		if o, err = s.Overview(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "backlog", task.Backlog{Pending: 5, Parked: 1, Oldest: start}, o.Backlog)
		if o.Oldest == nil || o.Oldest.TaskID != b || o.Oldest.State != PutOff {
			t.Errorf("oldest %+v, want the put-off event of task %d", o.Oldest, b)
		}
		if o.LastFailed == nil || o.LastFailed.TaskID != b || o.LastFailed.LastError != "refused" {
			t.Errorf("last failed %+v, want the refused event of task %d", o.LastFailed, b)
		}
		h, err := s.History(t.Context(), start)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "history", History{Kept: 1, Recent: 1, First: clock.Now(), Last: clock.Now()}, h)
		if h, err = s.History(t.Context(), clock.Now().Add(time.Second)); err != nil || h.Recent != 0 || h.Kept != 1 {
			t.Errorf("history since later: %+v, %v", h, err)
		}
	})
}

func TestLeaderIsSeenByOthers(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		relay, other := openStore(t, url), openStore(t, url)
		leads := func() bool {
			t.Helper()
			l, err := other.Leader(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if remote := !other.db.sharedWriter(); remote && l.Leads != (l.Addr != "") {
				t.Errorf("leader %+v, want one with its address", l)
			}
			return l.Leads
		}
		if leads() {
			t.Error("a leader before anybody stood")
		}
		first := await(t, "leader", lead(t.Context(), relay))
		if first.err != nil {
			t.Fatal(first.err)
		}
		for range 2 { // asking doesn't take the lock
			if !leads() {
				t.Error("the leader isn't seen")
			}
		}
		first.giveUp()
		for deadline := time.Now().Add(5 * time.Second); leads(); { // the server ends a session in its own time
			if time.Now().After(deadline) {
				t.Fatal("a leader 5 s after it gave up")
			}
		}
		second := await(t, "next leader", lead(t.Context(), relay))
		if second.err != nil {
			t.Fatal(second.err)
		}
		second.giveUp()
	})
}

func TestRetry(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := onTaskEvents(t, openStore(t, url, Options{Now: clock.Now}))
		a, b, c, d := aTroubled(t, s, clock)
		retry := func(sel Selection, dryRun bool, want int) {
			t.Helper()
			if n, err := s.Retry(t.Context(), sel, dryRun); n != want || err != nil {
				t.Errorf("retry %+v: %d, %v; want %d", sel, n, err, want)
			}
		}
		before := outbox(t, s)
		retry(Selection{}, true, 2)
		retry(Selection{TaskID: c}, false, 0)
		retry(Selection{TaskID: d}, false, 0)
		retry(Selection{Topic: "reminders"}, false, 0)
		same(t, "outbox after doing nothing", before, outbox(t, s))

		parked, _, err := s.Waiting(t.Context(), WaitingQuery{Parked: true, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		retry(Selection{IDs: []string{parked[0].ID}, Topic: task.Topic}, false, 1)
		same(t, "after retry of a's", []listed{
			{a, 1, Due, 0}, {b, 1, PutOff, 0}, {c, 1, Due, 0}, {a, 2, Queued, 1}, {b, 2, Blocked, 1}, {c, 2, Queued, 1},
		}, waiting(t, s, WaitingQuery{}))
		same(t, "a's event", entry{Row: parked[0].Row, TaskID: a, Sequence: 1, Type: task.TypeCreated, LastError: "too large"}, outbox(t, s)[0])
		retry(Selection{}, false, 1)
		retry(Selection{}, false, 0)
		got, _ := heads(t, s, 10)
		same(t, "heads", []at{{a, 1}, {b, 1}, {c, 1}}, got)
	})
}

// More rows than a step looks at, few of them parked.
func TestRetryOfMany(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := onTaskEvents(t, openStore(t, url))
		const n = sweepStep + 100
		fill(t, s, n, 1)
		mustExec(t, s, "UPDATE outbox SET parked_at = created_at, attempts = 10 WHERE id % 100 = 0")
		mustExec(t, s, "UPDATE outbox SET next_attempt_at = $1 WHERE id % 100 = 1", task.Timestamp(time.Now().Add(time.Hour)))
		want := number(t, s, "SELECT count(*) FROM outbox WHERE id % 100 < 2")
		if got, err := s.Retry(t.Context(), Selection{}, false); err != nil || got != want {
			t.Errorf("retried %d, %v; want %d", got, err, want)
		}
		if left := number(t, s, "SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL OR next_attempt_at <> created_at OR attempts <> 0"); left != 0 {
			t.Errorf("%d events aren't due", left)
		}
	})
}

// fill gives each of some new tasks as many events.
func fill(t *testing.T, s *Store, tasks, each int) {
	t.Helper()
	var changes []task.Change
	for i := range tasks {
		changes = append(changes, create("u", fmt.Sprint(i)))
	}
	made := queueUp(s, changes...)
	for range each - 1 {
		changes = changes[:0]
		for _, r := range made {
			changes = append(changes, toggle("u", r.result.Task.ID))
		}
		queueUp(s, changes...)
	}
	if n := number(t, s, "SELECT count(*) FROM outbox"); n != tasks*each {
		t.Fatalf("the outbox has %d events, want %d", n, tasks*each)
	}
}
