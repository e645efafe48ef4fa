package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/todoctl/todoctl/internal/failpoint"
	"github.com/todoctl/todoctl/internal/task"
)

const (
	begin = "BEGIN ISOLATION LEVEL READ COMMITTED"

	lockTasks = "SELECT " + taskColumns + ` FROM tasks t JOIN unnest($1::bigint[], $2::text[]) AS want(task, owner)
		ON t.id = want.task AND t.user_id = want.owner ORDER BY t.id FOR UPDATE OF t`

	readReminders = "SELECT " + reminderColumns + " FROM reminders WHERE task_id = ANY($1::bigint[])"

	// claimReminders leaves out what another claim or a change holds. Both rows are
	// locked, so that both are read as they are once the locks are held.
	claimReminders = "SELECT " + taskColumns + ", " + reminderColumns + ` FROM reminders r JOIN tasks t ON t.id = r.task_id
		WHERE r.state = 'scheduled' AND r.due_at <= $1 ORDER BY r.due_at, r.task_id LIMIT $2
		FOR UPDATE OF t, r SKIP LOCKED`

	readReceipts = `SELECT i.consumer, i.event_id FROM inbox i JOIN unnest($1::text[], $2::text[]) AS want(consumer, event)
		ON i.consumer = want.consumer AND i.event_id = want.event`

	readPrevious = "SELECT previous_id FROM tasks WHERE previous_id = ANY($1::bigint[])"

	readKeys = `SELECT k.user_id, k.key, k.fingerprint, k.answer
		FROM idempotency_keys k JOIN unnest($1::text[], $2::text[]) AS want(user_id, key)
		ON k.user_id = want.user_id AND k.key = want.key`

	takeIDs = "SELECT nextval('tasks_id_seq') FROM generate_series(1, $1::bigint)"

	// taskArrays are the values of storedColumns, an array a column.
	taskArrays = `unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bool[],
		$8::bigint[], $9::text[]::jsonb[], $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::text[],
		$14::text[]::jsonb[], $15::text[], $16::timestamptz[], $17::timestamptz[], $18::bigint[],
		$19::timestamptz[], $20::timestamptz[], $21::timestamptz[], $22::bigint[])`

	insertTasks = "INSERT INTO tasks (" + storedColumns + ") SELECT * FROM " + taskArrays

	updateTasks = `UPDATE tasks t SET title = n.title, title_lower = n.title_lower, description = n.description,
		description_lower = n.description_lower, completed = n.completed, priority = n.priority, tags = n.tags,
		due_date = n.due_date, remind_at = n.remind_at, remind_before = n.remind_before, timezone = n.timezone,
		channels = n.channels, recurrence = n.recurrence, recurrence_end = n.recurrence_end, recurrence_start = n.recurrence_start,
		updated_at = n.updated_at, completed_at = n.completed_at, seq = n.seq
		FROM ` + taskArrays + ` AS n(` + storedColumns + `) WHERE t.id = n.id AND t.user_id = n.user_id`

	deleteTasks = `DELETE FROM tasks t USING unnest($1::bigint[], $2::text[]) AS gone(id, user_id)
		WHERE t.id = gone.id AND t.user_id = gone.user_id`

	storeReminders = "INSERT INTO reminders (" + reminderColumns + `)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[])
		ON CONFLICT (task_id) DO UPDATE SET due_at = excluded.due_at, state = excluded.state, sequence = excluded.sequence`

	deleteReminders = "DELETE FROM reminders WHERE task_id = ANY($1::bigint[])"

	insertReceipts = `INSERT INTO inbox (consumer, event_id, handled_at)
		SELECT n.*, $3 FROM unnest($1::text[], $2::text[]) AS n`

	deleteReceipts = `DELETE FROM inbox i USING unnest($1::text[], $2::text[]) AS gone(consumer, event_id)
		WHERE i.consumer = gone.consumer AND i.event_id = gone.event_id`

	insertDeliveries = `INSERT INTO deliveries (consumer, event_id, payload, received_at, next_attempt_at)
		SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::timestamptz[], $5::timestamptz[]) ON CONFLICT DO NOTHING`

	deleteDeliveries = `DELETE FROM deliveries d USING unnest($1::text[], $2::text[]) AS gone(consumer, event_id)
		WHERE d.consumer = gone.consumer AND d.event_id = gone.event_id`

	putOffDeliveries = `UPDATE deliveries d SET next_attempt_at = n.until,
		attempts = CASE WHEN n.cause = '' THEN d.attempts ELSE d.attempts + 1 END,
		last_error = CASE WHEN n.cause = '' THEN d.last_error ELSE n.cause END
		FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::text[])
		AS n(consumer, event_id, due, until, cause)
		WHERE d.consumer = n.consumer AND d.event_id = n.event_id AND d.next_attempt_at = n.due`

	insertEvents = `INSERT INTO outbox (event_id, topic, type, task_id, seq, payload, traceparent, created_at, next_attempt_at)
		SELECT n.event_id::uuid, n.topic, n.type, n.task_id, n.seq, n.payload, n.traceparent, n.made, n.made
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bytea[], $7::text[], $8::timestamptz[])
		AS n(event_id, topic, type, task_id, seq, payload, traceparent, made)`

	insertKeys = `INSERT INTO idempotency_keys (user_id, key, fingerprint, answer, created_at)
		SELECT n.*, $5 FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS n`

	markPublished = `UPDATE outbox o SET published_at = $2 FROM unnest($1::bigint[]) AS done(id)
		WHERE o.id = done.id AND o.published_at IS NULL`

	markFailed = `UPDATE outbox o SET attempts = o.attempts + 1, last_error = f.reason, next_attempt_at = f.retry_at,
		parked_at = CASE WHEN f.park THEN $5::timestamptz ELSE o.parked_at END
		FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::bool[]) AS f(id, reason, retry_at, park)
		WHERE o.id = f.id AND o.published_at IS NULL`
)

// write needs one round trip, or two when it must read first. A connection that
// is left within a transaction is closed by the pool, which rolls it back.
func (p *postgres) write(ctx context.Context, b *batch) error {
	conn, err := p.writes.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := &pgx.Batch{}
	tx.Queue(begin)
	reads := p.queueReads(tx, b)
	if reads {
		if err := conn.SendBatch(ctx, tx).Close(); err != nil {
			return err
		}
		tx = &pgx.Batch{}
	}
	p.decide(b)
	if !b.writes() && !reads {
		return nil
	}
	p.queueWrites(tx, b)
	tx.Queue("COMMIT").Exec(committed)
	if err := failpoint.Hit("before-commit"); err != nil {
		return err
	}
	if err := conn.SendBatch(ctx, tx).Close(); err != nil {
		return err
	}
	return failpoint.Hit("after-commit")
}

// decide gives created tasks their ids. Marks have a group of their own, which must
// not touch the reserve.
func (p *postgres) decide(b *batch) {
	if b.creates == 0 {
		b.decide()
		return
	}
	b.ids, p.reserve = p.reserve, nil // never used twice, whatever becomes of the transaction
	b.decide()
	p.reserve = b.ids
}

// lacking is how many ids the creations of a batch need beyond the reserve.
func (p *postgres) lacking(b *batch) int {
	if b.creates == 0 {
		return 0
	}
	return b.creates - len(p.reserve)
}

// committed checks that COMMIT didn't turn into a ROLLBACK.
func committed(tag pgconn.CommandTag) error {
	if tag.String() != "COMMIT" {
		return fmt.Errorf("the transaction ended with %s", tag)
	}
	return nil
}

// queueReads asks for what decide needs and reports whether that is anything.
func (p *postgres) queueReads(tx *pgx.Batch, b *batch) bool {
	before := tx.Len()
	if want := b.wantedTasks(); want != nil {
		ids := column(want, func(w wanted) int64 { return w.id })
		users := column(want, func(w wanted) string { return w.user })
		tx.Queue(lockTasks, ids, users).Query(func(rows pgx.Rows) error { return each(rows, b.collectRow) })
		// After the lock, too: who held it may have moved the reminder alone.
		tx.Queue(readReminders, ids).Query(func(rows pgx.Rows) error { return each(rows, b.collectReminder) })
	}
	p.queueEffects(tx, b)
	// After the lock: whoever held it may have made this very request, with its key.
	if want := b.wantedKeys(); want != nil {
		users := column(want, func(k keyID) string { return k.user })
		keys := column(want, func(k keyID) string { return k.key })
		tx.Queue(readKeys, users, keys).Query(func(rows pgx.Rows) error { return each(rows, b.collectKey) })
	}
	if lacking := p.lacking(b); lacking > 0 {
		p.queueIDs(tx, lacking)
	}
	return tx.Len() > before
}

// queueEffects asks for what is due, has been handled or has a next task.
func (*postgres) queueEffects(tx *pgx.Batch, b *batch) {
	if c := b.claims(); c != nil {
		tx.Queue(claimReminders, b.now, c.limit).Query(func(rows pgx.Rows) error { return each(rows, b.collectDue) })
	}
	if want := b.wantedReceipts(); want != nil {
		consumers := column(want, func(r receipt) string { return r.consumer })
		events := column(want, func(r receipt) string { return r.event })
		tx.Queue(readReceipts, consumers, events).Query(func(rows pgx.Rows) error { return each(rows, b.collectReceipt) })
	}
	if want := b.wantedPrevious(); want != nil {
		tx.Queue(readPrevious, want).Query(func(rows pgx.Rows) error { return each(rows, b.collectPrevious) })
	}
}

// queueIDs takes ids for tasks from the sequence into the reserve.
func (p *postgres) queueIDs(tx *pgx.Batch, n int) {
	tx.Queue(takeIDs, n).Query(func(rows pgx.Rows) error {
		return each(rows, func(scan scanner) error {
			var id int64
			err := scan(&id)
			p.reserve = append(p.reserve, id)
			return err
		})
	})
}

func (p *postgres) queueWrites(tx *pgx.Batch, b *batch) {
	inserted, updated, deleted := b.tasks()
	if inserted != nil {
		tx.Queue(insertTasks, taskValues(inserted)...)
	}
	if updated != nil {
		tx.Queue(updateTasks, taskValues(updated)...)
	}
	if deleted != nil {
		tx.Queue(deleteTasks, column(deleted, func(t task.Task) int64 { return t.ID }),
			column(deleted, func(t task.Task) string { return t.UserID }))
	}
	queueReminders(tx, b)
	if b.events != nil {
		tx.Queue(insertEvents, eventValues(b.events)...)
	}
	if b.receipts != nil {
		tx.Queue(insertReceipts,
			column(b.receipts, func(r receipt) string { return r.consumer }),
			column(b.receipts, func(r receipt) string { return r.event }), b.now)
	}
	queueDeliveries(tx, b)
	if b.newKeys != nil {
		tx.Queue(insertKeys,
			column(b.newKeys, func(k saved) string { return k.user }),
			column(b.newKeys, func(k saved) string { return k.key }),
			column(b.newKeys, func(k saved) string { return k.fingerprint }),
			column(b.newKeys, saved.answer), b.now)
	}
	queueMarks(tx, b)
	// With the ids for the next batch at hand, that one needs no round trip for them.
	if lacking := p.lacking(b); lacking > 0 {
		p.queueIDs(tx, lacking)
	}
}

func queueReminders(tx *pgx.Batch, b *batch) {
	stored, gone := b.reminders()
	if stored != nil {
		tx.Queue(storeReminders,
			column(stored, func(r task.Reminder) int64 { return r.TaskID }),
			column(stored, func(r task.Reminder) time.Time { return r.DueAt }),
			column(stored, func(r task.Reminder) string { return string(r.State) }),
			column(stored, func(r task.Reminder) int64 { return r.Sequence }))
	}
	if gone != nil {
		tx.Queue(deleteReminders, gone)
	}
}

func queueDeliveries(tx *pgx.Batch, b *batch) {
	if b.owed != nil {
		tx.Queue(insertDeliveries,
			column(b.owed, func(d task.Delivery) string { return d.Consumer }),
			column(b.owed, func(d task.Delivery) string { return d.EventID }),
			column(b.owed, func(d task.Delivery) []byte { return d.Payload }),
			column(b.owed, func(d task.Delivery) time.Time { return d.ReceivedAt }),
			column(b.owed, func(d task.Delivery) time.Time { return d.Due }))
	}
	ended, undone, putOff := b.settlements()
	consumer := func(s settlement) string { return s.Consumer }
	event := func(s settlement) string { return s.EventID }
	if ended != nil {
		tx.Queue(deleteDeliveries, column(ended, consumer), column(ended, event))
	}
	if undone != nil {
		tx.Queue(deleteReceipts, column(undone, consumer), column(undone, event))
	}
	if putOff != nil {
		tx.Queue(putOffDeliveries, column(putOff, consumer), column(putOff, event),
			column(putOff, func(s settlement) time.Time { return s.Due }),
			column(putOff, func(s settlement) time.Time { return s.until }),
			column(putOff, func(s settlement) string { return s.cause }))
	}
}

func queueMarks(tx *pgx.Batch, b *batch) {
	if len(b.published) > 0 {
		tx.Queue(markPublished, b.published, b.now)
	}
	if len(b.failures) > 0 {
		tx.Queue(markFailed,
			column(b.failures, func(f task.Failure) int64 { return f.Row }),
			column(b.failures, reason),
			column(b.failures, func(f task.Failure) time.Time { return task.Timestamp(f.RetryAt) }),
			column(b.failures, func(f task.Failure) bool { return f.Park }), b.now)
	}
}

// column is one value of each item.
func column[T, V any](items []T, value func(T) V) []V {
	values := make([]V, len(items))
	for i, item := range items {
		values[i] = value(item)
	}
	return values
}

// taskValues are the arrays of taskArrays.
func taskValues(tasks []task.Task) []any {
	return []any{
		column(tasks, func(t task.Task) int64 { return t.ID }),
		column(tasks, func(t task.Task) string { return t.UserID }),
		column(tasks, func(t task.Task) string { return t.Title }),
		column(tasks, func(t task.Task) string { return lower(t.Title) }),
		column(tasks, func(t task.Task) string { return t.Description }),
		column(tasks, func(t task.Task) string { return lower(t.Description) }),
		column(tasks, func(t task.Task) bool { return t.Completed }),
		column(tasks, func(t task.Task) int64 { return int64(t.Priority.Rank()) }),
		column(tasks, func(t task.Task) string { return listJSON(t.Tags) }),
		column(tasks, func(t task.Task) *time.Time { return t.DueDate }),
		column(tasks, func(t task.Task) *time.Time { return t.RemindAt }),
		column(tasks, func(t task.Task) *int { return t.RemindBefore }),
		column(tasks, func(t task.Task) string { return t.Timezone }),
		column(tasks, func(t task.Task) string { return listJSON(t.Channels) }),
		column(tasks, func(t task.Task) string { return t.Recurrence }),
		column(tasks, func(t task.Task) *time.Time { return t.RecurrenceEnd }),
		column(tasks, func(t task.Task) *time.Time { return t.RecurrenceStart }),
		column(tasks, func(t task.Task) *int64 { return t.PreviousID }),
		column(tasks, func(t task.Task) time.Time { return t.CreatedAt }),
		column(tasks, func(t task.Task) time.Time { return t.UpdatedAt }),
		column(tasks, func(t task.Task) *time.Time { return t.CompletedAt }),
		column(tasks, func(t task.Task) int64 { return t.Sequence }),
	}
}

func eventValues(events []task.Event) []any {
	return []any{
		column(events, func(e task.Event) string { return e.ID }),
		column(events, func(e task.Event) string { return e.Topic }),
		column(events, func(e task.Event) string { return e.Type }),
		column(events, func(e task.Event) int64 { return e.TaskID }),
		column(events, func(e task.Event) int64 { return e.Sequence }),
		column(events, func(e task.Event) []byte { return e.Payload }),
		column(events, func(e task.Event) string { return e.Traceparent }),
		column(events, func(e task.Event) time.Time { return e.Time }),
	}
}
