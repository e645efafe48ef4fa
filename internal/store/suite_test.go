package store

import (
	"context"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// onEach runs a test on a fresh database of each kind: the store promises the same
// on all of them.
func onEach(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("sqlite", func(t *testing.T) {
		test(t, "sqlite:"+filepath.Join(t.TempDir(), "todo.db"))
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, newDatabase(t))
	})
}

func replaceDatabase(t testing.TB, dsn, name string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// openStore opens a database and closes it after the test.
func openStore(t testing.TB, url string, opts ...Options) *Store {
	t.Helper()
	s, err := Open(context.Background(), url, append(opts, Options{})[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// A clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock {
	return &clock{now: time.Date(2026, 2, 17, 12, 0, 0, 123456000, time.UTC)}
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func ptr[T any](v T) *T { return &v }

func create(user, title string) task.Change {
	return task.Change{Action: task.Create, UserID: user, Patch: task.Patch{Title: &title}}
}

func rename(user string, id int64, title string) task.Change {
	return task.Change{Action: task.Update, UserID: user, TaskID: id, Patch: task.Patch{Title: &title}}
}

func toggle(user string, id int64) task.Change {
	return task.Change{Action: task.Toggle, UserID: user, TaskID: id}
}

func remove(user string, id int64) task.Change {
	return task.Change{Action: task.Delete, UserID: user, TaskID: id}
}

// change makes a change that must succeed.
func change(t testing.TB, s *Store, c task.Change) task.Task {
	t.Helper()
	result, err := s.Change(context.Background(), c)
	if err != nil {
		t.Fatalf("change: %v", err)
	}
	return result.Task
}

// An entry is what tests look at in an outbox row.
type entry struct {
	Row, TaskID, Sequence int64
	Type                  string
	Attempts              int
	LastError             string
	Published, Parked     bool
}

// outbox reads the whole outbox, oldest first.
func outbox(t testing.TB, s *Store) []entry {
	t.Helper()
	var list []entry
	err := s.db.read(context.Background(), query{
		sql: `SELECT id, task_id, seq, type, attempts, last_error, published_at IS NOT NULL, parked_at IS NOT NULL
			FROM outbox ORDER BY id`,
		row: func(scan scanner) error {
			var e entry
			err := scan(&e.Row, &e.TaskID, &e.Sequence, &e.Type, &e.Attempts, &e.LastError, &e.Published, &e.Parked)
			list = append(list, e)
			return err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// onTaskEvents keeps the outbox to one event a change, that on task-events, for tests
// that count rows.
func onTaskEvents(t testing.TB, s *Store) *Store {
	t.Helper()
	mustExec(t, s, map[bool]string{
		true:  "CREATE TRIGGER one BEFORE INSERT ON outbox WHEN new.topic <> 'task-events' BEGIN SELECT RAISE(IGNORE); END",
		false: "CREATE RULE one AS ON INSERT TO outbox WHERE new.topic <> 'task-events' DO INSTEAD NOTHING",
	}[s.db.sharedWriter()])
	return s
}

// number reads one number.
func number(t testing.TB, s *Store, sql string, args ...any) int {
	t.Helper()
	var n int
	err := s.db.read(context.Background(), query{sql: sql, args: args, row: func(scan scanner) error { return scan(&n) }})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// inParallel runs a function n times at once and waits for all.
func inParallel(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// queueUp has the writer's next transaction take all of the changes together, in
// order, and returns their results.
func queueUp(s *Store, changes ...task.Change) []*request {
	requests := make([]*request, len(changes))
	for i := range changes {
		requests[i] = &request{change: &changes[i]}
	}
	s.write(context.Background(), requests)
	return requests
}
