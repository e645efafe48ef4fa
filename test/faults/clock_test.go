//go:build unix

package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/test/faults/checker"
	"github.com/todoctl/todoctl/test/pgserver"
)

// The wall clock steps by an hour in mid-run, back and forth: order, ids, the leader,
// answers to repeated requests and pages stay right, nothing waits for the hour, and
// nothing is pruned before its time.
func TestClockSteps(t *testing.T) {
	t.Parallel()
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		testClockSteps(t, "sqlite:"+filepath.Join(t.TempDir(), "todo.db"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server, err := pgserver.New(t.Context())
		if errors.Is(err, pgserver.ErrMissing) {
			missing(t, err.Error())
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Remove() })
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Stop)
		testClockSteps(t, server.URL("postgres"))
	})
}

func testClockSteps(t *testing.T, url string) {
	w := newWatch(t, url)
	for _, step := range []time.Duration{-time.Hour, time.Hour, time.Hour, -time.Hour} {
		t.Logf("the clock steps by %s", step)
		w.through(step)
	}
	if n := w.log.count("relay leads"); n != 1 || w.log.count("relay lost the lead") != 0 {
		t.Errorf("the relay led %d times, want once and for all", n)
	}
	w.published.check(t)
	if n, err := w.store.Prune(t.Context(), w.now().Add(-7*24*time.Hour)); err != nil || n != 0 {
		t.Errorf("%d rows pruned before their time, %v", n, err)
	}
	if n, err := w.store.Prune(t.Context(), w.now().Add(2*time.Hour)); err != nil || n == 0 {
		t.Errorf("%d rows pruned after their time, %v", n, err)
	}
}

// A watch is a store with its relay, on a clock that can be put.
type watch struct {
	*testing.T
	store     *store.Store
	published *broker
	log       *lines
	mu        sync.Mutex
	offset    time.Duration
}

func (w *watch) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.offset)
}

func (w *watch) step(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offset += by
}

func newWatch(t *testing.T, url string) *watch {
	t.Helper()
	w := &watch{T: t, published: &broker{refusals: map[string]int{}, got: map[string][]publish.Message{}}, log: &lines{}}
	var err error
	if w.store, err = store.Open(t.Context(), url, store.Options{Now: w.now}); err != nil {
		t.Fatal(err)
	}
	relay := publish.NewRelay(publish.RelayOptions{
		Outbox: w.store, Publisher: w.published, Wake: w.store.Changed(), Now: w.now,
		Log: slog.New(slog.NewTextHandler(w.log, nil)), PruneEvery: time.Second,
	})
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = relay.Run(ctx) }) // it returns nil
	t.Cleanup(func() {
		stop()
		running.Wait()
		if err := w.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// through has the clock step while changes are made, events wait and one is put off.
func (w *watch) through(step time.Duration) {
	w.Helper()
	key := fmt.Sprintf("key at %s", w.now())
	keyed := task.Change{Action: task.Create, UserID: "u", IdempotencyKey: key, Fingerprint: "f"}
	title := "keyed"
	keyed.Patch.Title = &title
	first := w.change(keyed).Task
	var ids []int64
	for range 5 {
		ids = append(ids, w.create())
	}
	refused := w.create()
	w.published.refuse(refused)
	w.toggle(refused) // what made the task may be out already
	w.until("an event is put off", func() bool { return w.published.refused(refused) > 0 && w.waiting(refused).LastError != "" })
	page := w.page("")
	w.published.setAway(true)
	w.toggle(ids...)

	w.step(step)

	if e := w.waiting(refused); e.State != store.Due {
		w.Errorf("after a step by %s the refused event is %s until %s, want %s", step, e.State, e.NextAttempt, store.Due)
	}
	w.toggle(ids...)
	w.toggle(refused)
	again := w.change(keyed)
	if !again.Replayed || again.Task.ID != first.ID {
		w.Errorf("a repeated request made task %d, want the answer of before, %d", again.Task.ID, first.ID)
	}
	w.pages(page)
	w.published.setAway(false)
	w.published.refuse(0)
	w.until("every event is out", func() bool {
		b, err := w.store.Backlog(w.Context())
		return err == nil && b.Pending == 0
	})
}

// pages goes through the pages that follow one from before the step: no task is
// missing and none comes twice, although one is made meanwhile.
func (w *watch) pages(first task.Page) {
	w.Helper()
	seen := map[int64]bool{}
	for page := first; ; page = w.page(page.Next) {
		for _, t := range page.Tasks {
			if seen[t.ID] {
				w.Errorf("task %d is on two pages", t.ID)
			}
			seen[t.ID] = true
		}
		if page.Next == "" {
			break
		}
	}
	for _, t := range first.Tasks {
		seen[t.ID] = true
	}
	if len(seen) != first.Total {
		w.Errorf("%d tasks on the pages, want %d", len(seen), first.Total)
	}
	w.create()
}

func (w *watch) page(cursor string) task.Page {
	w.Helper()
	page, err := w.store.Tasks(w.Context(), "u", task.Query{Sort: "created_at", Cursor: cursor, Limit: 3})
	if err != nil {
		w.Fatal(err)
	}
	return page
}

func (w *watch) change(c task.Change) task.Result {
	w.Helper()
	result, err := w.store.Change(w.Context(), c)
	if err != nil {
		w.Fatal(err)
	}
	return result
}

func (w *watch) create() int64 {
	w.Helper()
	title := "t"
	return w.change(task.Change{Action: task.Create, UserID: "u", Patch: task.Patch{Title: &title}}).Task.ID
}

func (w *watch) toggle(ids ...int64) {
	w.Helper()
	for _, id := range ids {
		w.change(task.Change{Action: task.Toggle, UserID: "u", TaskID: id})
	}
}

// waiting is the first event of a task that waits.
func (w *watch) waiting(id int64) store.Waiting {
	w.Helper()
	page, _, err := w.store.Waiting(w.Context(), store.WaitingQuery{Selection: store.Selection{TaskID: id}, Limit: 1})
	if err != nil || len(page) == 0 {
		w.Fatalf("no event of task %d waits: %v", id, err)
	}
	return page[0]
}

func (w *watch) until(what string, holds func() bool) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), 15*time.Second)
	defer cancel()
	if !poll(ctx, holds) {
		w.Fatalf("not within 15 s: %s\n%s", what, w.log)
	}
}

// A broker is a Publisher that remembers what it got.
type broker struct {
	mu       sync.Mutex
	away     bool
	poison   string // the key of a task whose events are refused
	refusals map[string]int
	got      map[string][]publish.Message // by topic
}

func (b *broker) setAway(away bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away = away
}

func (b *broker) refuse(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.poison = fmt.Sprint(id)
}

func (b *broker) refused(id int64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.refusals[fmt.Sprint(id)]
}

// Publish implements publish.Publisher.
func (b *broker) Publish(_ context.Context, topic string, batch []publish.Message) []error {
	b.mu.Lock()
	defer b.mu.Unlock()
	errs := make([]error, len(batch))
	for i, m := range batch {
		switch {
		case b.away:
			errs[i] = errors.New("away")
		case m.Key == b.poison:
			b.refusals[m.Key]++
			errs[i] = publish.ErrRefused
		default:
			b.got[topic] = append(b.got[topic], m)
		}
	}
	return errs
}

// check looks at the order of each task's events, and for ids that came twice.
func (b *broker) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	ids := map[string]bool{}
	for topic, messages := range b.got {
		last := map[string]int64{}
		for _, m := range messages {
			if ids[m.ID] {
				t.Errorf("event %s was published twice", m.ID)
			}
			ids[m.ID] = true
			e, err := checker.ParseEvent(m.Data)
			if err != nil {
				t.Fatal(err)
			}
			if e.Sequence != last[m.Key]+1 {
				t.Errorf("%s, task %s: %d comes after %d", topic, m.Key, e.Sequence, last[m.Key])
			}
			last[m.Key] = e.Sequence
		}
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *lines) count(text string) int { return strings.Count(l.String(), text) }
