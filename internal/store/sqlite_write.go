package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"

	"github.com/todoctl/todoctl/internal/failpoint"
	"github.com/todoctl/todoctl/internal/task"
)

// statements are what write runs, prepared once. (database/sql prepares them
// again by itself when the connection was replaced.)
type statements struct {
	lastID, readTask, readKey          *sql.Stmt
	insertTask, updateTask, deleteTask *sql.Stmt
	insertEvent, insertKey             *sql.Stmt
	readReminder, claimReminders       *sql.Stmt
	storeReminder, deleteReminder      *sql.Stmt
	readReceipt, insertReceipt         *sql.Stmt
	readPrevious                       *sql.Stmt
	deleteReceipt                      *sql.Stmt
	insertDelivery, deleteDelivery     *sql.Stmt
	putOffDelivery                     *sql.Stmt
	markPublished, markFailed          *sql.Stmt
}

func (s *statements) prepare(ctx context.Context, db *sql.DB) error {
	for _, one := range []struct {
		into **sql.Stmt
		sql  string
	}{
		{&s.lastID, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'tasks'"},
		{&s.readTask, "SELECT " + taskColumns + " FROM tasks WHERE id = $1 AND user_id = $2"},
		{&s.readKey, "SELECT user_id, key, fingerprint, answer FROM idempotency_keys WHERE user_id = $1 AND key = $2"},
		{&s.insertTask, "INSERT INTO tasks (" + storedColumns + `)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)`},
		{&s.updateTask, `UPDATE tasks SET title = $3, title_lower = $4, description = $5, description_lower = $6,
			completed = $7, priority = $8, tags = $9, due_date = $10, remind_at = $11, remind_before = $12, timezone = $13,
			channels = $14, recurrence = $15, recurrence_end = $16, recurrence_start = $17, previous_id = $18,
			created_at = $19, updated_at = $20, completed_at = $21, seq = $22
			WHERE id = $1 AND user_id = $2`},
		{&s.deleteTask, "DELETE FROM tasks WHERE id = $1 AND user_id = $2"},
		{&s.readReminder, "SELECT " + reminderColumns + " FROM reminders WHERE task_id = $1"},
		{&s.claimReminders, "SELECT " + taskColumns + ", " + reminderColumns + ` FROM reminders JOIN tasks ON id = task_id
			WHERE state = 'scheduled' AND due_at <= $1 ORDER BY due_at, task_id LIMIT $2`},
		{&s.storeReminder, "REPLACE INTO reminders (" + reminderColumns + ") VALUES ($1, $2, $3, $4)"},
		{&s.deleteReminder, "DELETE FROM reminders WHERE task_id = $1"},
		{&s.readReceipt, "SELECT consumer, event_id FROM inbox WHERE consumer = $1 AND event_id = $2"},
		{&s.insertReceipt, "INSERT INTO inbox (consumer, event_id, handled_at) VALUES ($1, $2, $3)"},
		{&s.deleteReceipt, "DELETE FROM inbox WHERE consumer = $1 AND event_id = $2"},
		{&s.insertDelivery, `INSERT INTO deliveries (consumer, event_id, payload, received_at, next_attempt_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`},
		{&s.deleteDelivery, "DELETE FROM deliveries WHERE consumer = $1 AND event_id = $2"},
		{&s.putOffDelivery, `UPDATE deliveries SET next_attempt_at = $4,
			attempts = CASE WHEN $5 = '' THEN attempts ELSE attempts + 1 END,
			last_error = CASE WHEN $5 = '' THEN last_error ELSE $5 END
			WHERE consumer = $1 AND event_id = $2 AND next_attempt_at = $3`},
		{&s.readPrevious, "SELECT previous_id FROM tasks WHERE previous_id = $1"},
		{&s.insertEvent, `INSERT INTO outbox
			(event_id, topic, type, task_id, seq, traceparent, created_at, next_attempt_at, payload)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8)`},
		{&s.insertKey, `INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, created_at)
			VALUES ($1, $2, $3, $4, $5)`},
		{&s.markPublished, `UPDATE outbox SET published_at = $2
			WHERE id IN (SELECT value FROM json_each($1)) AND published_at IS NULL`},
		{&s.markFailed, `UPDATE outbox SET attempts = attempts + 1, last_error = $2, next_attempt_at = $3,
			parked_at = CASE WHEN $4 THEN $5 ELSE parked_at END WHERE id = $1 AND published_at IS NULL`},
	} {
		var err error
		if *one.into, err = db.PrepareContext(ctx, one.sql); err != nil {
			return err
		}
	}
	return nil
}

// write runs a batch. Its statements aren't interrupted: they wait for nothing but
// the disk, and BEGIN for another process at most busyTimeout.
func (db *sqliteDB) write(ctx context.Context, b *batch) error {
	if err := db.inPlace(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	db.turn.Lock()
	defer db.turn.Unlock()
	tx, err := db.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	w := sqliteWrite{tx, &db.prepared}
	if err := w.read(ctx, b); err != nil {
		return err
	}
	b.decide()
	if !b.writes() {
		return nil
	}
	for _, step := range []func(context.Context, *batch) error{w.tasks, w.reminders, w.events, w.keys, w.receipts, w.deliveries, w.marks} {
		if err := step(ctx, b); err != nil {
			return err
		}
	}
	if err := failpoint.Hit("before-commit"); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return failpoint.Hit("after-commit")
}

// inPlace checks that the path still leads to the open file: SQLite would go on
// writing to a deleted one, and lose everything when it is closed.
func (db *sqliteDB) inPlace() error {
	file, err := os.Stat(db.path)
	if err != nil || !os.SameFile(file, db.file) {
		return errReplaced
	}
	return nil
}

// A sqliteWrite is one transaction of the writer.
type sqliteWrite struct {
	tx       *sql.Tx
	prepared *statements
}

// read fetches what decide needs.
func (w sqliteWrite) read(ctx context.Context, b *batch) error {
	for _, k := range b.wantedKeys() {
		if err := w.one(ctx, w.prepared.readKey, b.collectKey, k.user, k.key); err != nil {
			return err
		}
	}
	for _, want := range b.wantedTasks() {
		if err := w.one(ctx, w.prepared.readTask, b.collectRow, want.id, want.user); err != nil {
			return err
		}
		if err := w.one(ctx, w.prepared.readReminder, b.collectReminder, want.id); err != nil {
			return err
		}
	}
	if err := w.effects(ctx, b); err != nil {
		return err
	}
	if b.creates == 0 {
		return nil
	}
	// The write lock is held: nobody else takes ids now.
	var last int64
	err := w.one(ctx, w.prepared.lastID, func(scan scanner) error { return scan(&last) })
	for i := range b.creates {
		b.ids = append(b.ids, last+1+int64(i))
	}
	return err
}

// effects reads what is due, has been handled or has a next task.
func (w sqliteWrite) effects(ctx context.Context, b *batch) error {
	if c := b.claims(); c != nil {
		if err := w.each(ctx, w.prepared.claimReminders, b.collectDue, b.now, c.limit); err != nil {
			return err
		}
	}
	for _, r := range b.wantedReceipts() {
		if err := w.one(ctx, w.prepared.readReceipt, b.collectReceipt, r.consumer, r.event); err != nil {
			return err
		}
	}
	for _, id := range b.wantedPrevious() {
		if err := w.one(ctx, w.prepared.readPrevious, b.collectPrevious, id); err != nil {
			return err
		}
	}
	return nil
}

func (w sqliteWrite) each(ctx context.Context, s *sql.Stmt, row func(scanner) error, args ...any) error {
	rows, err := w.tx.StmtContext(ctx, s).QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// one reads at most one row.
func (w sqliteWrite) one(ctx context.Context, s *sql.Stmt, row func(scanner) error, args ...any) error {
	err := row(w.tx.StmtContext(ctx, s).QueryRowContext(ctx, args...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return err
}

func (w sqliteWrite) tasks(ctx context.Context, b *batch) error {
	inserted, updated, deleted := b.tasks()
	if err := run(ctx, w, w.prepared.insertTask, inserted, taskRow); err != nil {
		return err
	}
	if err := run(ctx, w, w.prepared.updateTask, updated, taskRow); err != nil {
		return err
	}
	return run(ctx, w, w.prepared.deleteTask, deleted, func(t task.Task) []any { return []any{t.ID, t.UserID} })
}

func (w sqliteWrite) events(ctx context.Context, b *batch) error {
	return run(ctx, w, w.prepared.insertEvent, b.events, func(e task.Event) []any {
		return []any{e.ID, e.Topic, e.Type, e.TaskID, e.Sequence, e.Traceparent, e.Time, e.Payload}
	})
}

func (w sqliteWrite) reminders(ctx context.Context, b *batch) error {
	stored, gone := b.reminders()
	err := run(ctx, w, w.prepared.storeReminder, stored, func(r task.Reminder) []any {
		return []any{r.TaskID, r.DueAt, string(r.State), r.Sequence}
	})
	if err != nil {
		return err
	}
	return run(ctx, w, w.prepared.deleteReminder, gone, func(id int64) []any { return []any{id} })
}

func (w sqliteWrite) receipts(ctx context.Context, b *batch) error {
	return run(ctx, w, w.prepared.insertReceipt, b.receipts, func(r receipt) []any {
		return []any{r.consumer, r.event, b.now}
	})
}

func (w sqliteWrite) deliveries(ctx context.Context, b *batch) error {
	err := run(ctx, w, w.prepared.insertDelivery, b.owed, func(d task.Delivery) []any {
		return []any{d.Consumer, d.EventID, d.Payload, d.ReceivedAt, d.Due}
	})
	ended, undone, putOff := b.settlements()
	id := func(s settlement) []any { return []any{s.Consumer, s.EventID} }
	if err == nil {
		err = run(ctx, w, w.prepared.deleteDelivery, ended, id)
	}
	if err == nil {
		err = run(ctx, w, w.prepared.deleteReceipt, undone, id)
	}
	if err != nil {
		return err
	}
	return run(ctx, w, w.prepared.putOffDelivery, putOff, func(s settlement) []any {
		return []any{s.Consumer, s.EventID, s.Due, s.until, s.cause}
	})
}

func (w sqliteWrite) keys(ctx context.Context, b *batch) error {
	return run(ctx, w, w.prepared.insertKey, b.newKeys, func(k saved) []any {
		return []any{k.user, k.key, k.fingerprint, k.answer(), b.now}
	})
}

func (w sqliteWrite) marks(ctx context.Context, b *batch) error {
	if len(b.published) > 0 {
		if _, err := w.tx.StmtContext(ctx, w.prepared.markPublished).ExecContext(ctx, jsonList(b.published), b.now); err != nil {
			return err
		}
	}
	return run(ctx, w, w.prepared.markFailed, b.failures, func(f task.Failure) []any {
		return []any{f.Row, reason(f), task.Timestamp(f.RetryAt), f.Park, b.now}
	})
}

// jsonList is a list as json_each reads it.
func jsonList(ids []int64) any {
	text, _ := json.Marshal(append([]int64{}, ids...)) // numbers
	return string(text)
}

// run executes a statement once for each item.
func run[T any](ctx context.Context, w sqliteWrite, s *sql.Stmt, items []T, values func(T) []any) error {
	if len(items) == 0 {
		return nil
	}
	s = w.tx.StmtContext(ctx, s)
	for _, item := range items {
		if _, err := s.ExecContext(ctx, values(item)...); err != nil {
			return err
		}
	}
	return nil
}

// taskRow are the values of storedColumns.
func taskRow(t task.Task) []any {
	return []any{
		t.ID, t.UserID, t.Title, lower(t.Title), t.Description, lower(t.Description), t.Completed,
		t.Priority.Rank(), listJSON(t.Tags), t.DueDate, t.RemindAt, t.RemindBefore, t.Timezone, listJSON(t.Channels),
		t.Recurrence, t.RecurrenceEnd, t.RecurrenceStart, t.PreviousID,
		t.CreatedAt, t.UpdatedAt, t.CompletedAt, t.Sequence,
	}
}
