package store

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/todoctl/todoctl/internal/task"
)

// version1 makes a database as the first version left it, with four tasks.
func version1(t *testing.T, url string) {
	t.Helper()
	ctx := context.Background()
	at, err := parseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	const insert = `INSERT INTO tasks (user_id, title, title_lower, description, description_lower, completed, priority, tags,
		due_date, remind_at, recurrence, created_at, updated_at, seq) VALUES ('u', $1, $1, '', '', $2, 1, '["a"]', $3, $3, $4, $3, $3, 1)`
	rows := [][]any{
		{"to come", false, task.Timestamp(time.Now().Add(time.Hour)), "monthly"},
		{"over", false, task.Timestamp(time.Now().Add(-time.Hour)), "often;FREQ="},
		{"completed", true, task.Timestamp(time.Now().Add(time.Hour)), "none"},
	}
	if at.path != "" {
		db := &sqliteDB{path: at.path}
		steps, err := migrations("sqlite")
		if err == nil {
			err = db.connect(makeSchema)
		}
		if err == nil {
			_, err = stepUpSQLite(ctx, db.writer, steps[:1])
		}
		for _, row := range rows {
			if err == nil {
				_, err = db.writer.ExecContext(ctx, insert, row...)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := db.close(); err != nil {
			t.Fatal(err)
		}
		return
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(ctx, conn)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		steps, err := migrations("postgres")
		if err == nil {
			_, err = stepUp(ctx, tx, steps[:1])
		}
		for _, row := range rows {
			if err == nil {
				_, err = tx.Exec(ctx, insert, row...)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What the first version stored is there with defaults, can be changed, and its
// reminders to come are sent.
func TestDatabaseOfVersion1(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		version1(t, url)
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		page, err := s.Tasks(t.Context(), "u", task.Query{Sort: "id"})
		if err != nil || page.Total != 3 {
			t.Fatalf("%+v, %v; want three tasks", page, err)
		}
		for _, got := range page.Tasks {
			if got.Timezone != task.UTC || got.Channels == nil || len(got.Channels) > 0 || got.RemindBefore != nil || got.PreviousID != nil {
				t.Errorf("task %+v, want the defaults", got)
			}
		}
		toCome, over := page.Tasks[0], page.Tasks[1]
		if n := number(t, s, "SELECT count(*) FROM reminders WHERE task_id = $1 AND state = 'missed'", over.ID); n != 1 {
			t.Error("a reminder that is over isn't noted as missed")
		}
		clock.advance(toCome.RemindAt.Sub(clock.Now()))
		same(t, "claimed", Claimed{Sent: 1}, claimed(t, s, 10, time.Hour))
		same(t, "its events", []string{task.TypeDue}, reminderEvents(t, s, toCome.ID))
		for _, old := range page.Tasks {
			change(t, s, toggle("u", old.ID))
			change(t, s, rename("u", old.ID, "renamed"))
			change(t, s, remove("u", old.ID))
		}
	})
}
