package store

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/todoctl/todoctl/internal/task"
)

// Two replicas get one request, because its client tried again while the first was
// stuck within its transaction. The second waits for the first and gives its answer,
// not that the task is gone or has changed.
func TestIdempotencyKeyOfARequestUnderWay(t *testing.T) {
	url := newDatabase(t)
	s := openStore(t, url)
	stale := func(c task.Change) task.Change { c.IfMatch = []int64{1}; return c }
	for name, again := range map[string]func(task.Task) task.Change{
		"delete":   func(made task.Task) task.Change { return remove("u", made.ID) },
		"If-Match": func(made task.Task) task.Change { return stale(rename("u", made.ID, "renamed")) },
	} {
		t.Run(name, func(t *testing.T) {
			made := change(t, s, create("u", "once"))
			finish := begunElsewhere(t, url, made.ID, name)
			answer := make(chan error, 1)
			go func() {
				result, err := s.Change(context.Background(), keyed(again(made), name, "f"))
				if err == nil && !result.Replayed {
					t.Error("made a second time")
				}
				answer <- err
			}()
			awaitLock(t, s)
			finish()
			if err := await(t, "answer", answer); err != nil {
				t.Error(err)
			}
		})
	}
}

// begunElsewhere has another session delete a task under an idempotency key, and
// returns what commits that.
func begunElsewhere(t *testing.T, url string, id int64, key string) (commit func()) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeConn(ctx, conn) })
	exec := func(sql string, args ...any) {
		t.Helper()
		if _, err := conn.Exec(ctx, sql, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec("BEGIN")
	exec("DELETE FROM tasks WHERE id = $1", id)
	exec(`INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, created_at) VALUES ('u', $1, 'f', '{}', now())`, key)
	return func() { exec("COMMIT") }
}

// awaitLock waits until a session of the database waits for another's lock.
func awaitLock(t *testing.T, s *Store) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for number(t, s, `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`) == 0 {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the lock")
		}
	}
}
