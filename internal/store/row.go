package store

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/todoctl/todoctl/internal/task"
)

// maxReason is how much of a failure's reason is kept, in bytes.
const maxReason = 1000

// taskColumns are the columns that scanTask reads.
const taskColumns = `id, user_id, title, description, completed, priority, tags, due_date, remind_at,
	remind_before, timezone, channels, recurrence, recurrence_end, recurrence_start, previous_id,
	created_at, updated_at, completed_at, seq`

// scanTask reads a row of taskColumns.
func scanTask(scan scanner) (task.Task, error) {
	var t task.Task
	var rank int
	var tags, channels string
	var due, remind, end, start, created, updated, completed stamp
	err := scan(&t.ID, &t.UserID, &t.Title, &t.Description, &t.Completed, &rank, &tags, &due, &remind,
		&t.RemindBefore, &t.Timezone, &channels, &t.Recurrence, &end, &start, &t.PreviousID,
		&created, &updated, &completed, &t.Sequence)
	if err != nil {
		return task.Task{}, err
	}
	if err := json.Unmarshal([]byte(tags), &t.Tags); err != nil {
		return task.Task{}, fmt.Errorf("tags of task %d: %w", t.ID, err)
	}
	if err := json.Unmarshal([]byte(channels), &t.Channels); err != nil {
		return task.Task{}, fmt.Errorf("channels of task %d: %w", t.ID, err)
	}
	if rank < 0 || rank >= len(task.Priorities()) {
		return task.Task{}, fmt.Errorf("priority of task %d: no rank %d", t.ID, rank)
	}
	t.Priority = task.Priorities()[rank]
	t.DueDate, t.RemindAt, t.RecurrenceEnd, t.RecurrenceStart, t.CompletedAt = due.t, remind.t, end.t, start.t, completed.t
	t.CreatedAt, t.UpdatedAt = created.value(), updated.value()
	return t, nil
}

// collectTask appends the row's task to a list.
func collectTask(into *[]task.Task) func(scanner) error {
	return func(scan scanner) error {
		t, err := scanTask(scan)
		*into = append(*into, t)
		return err
	}
}

// storedColumns are the columns that are written.
const storedColumns = `id, user_id, title, title_lower, description, description_lower, completed, priority, tags,
	due_date, remind_at, remind_before, timezone, channels, recurrence, recurrence_end, recurrence_start, previous_id,
	created_at, updated_at, completed_at, seq`

// reminderColumns are the columns of a task.Reminder.
const reminderColumns = `task_id, due_at, state, sequence`

// lower is the copy of a text that is searched and ordered by.
func lower(s string) string { return strings.ToLower(s) }

// eventColumns are the columns that collectEvent scans, of the outbox as o.
const eventColumns = `o.id, CAST(o.event_id AS text), o.topic, o.type, o.task_id, o.seq, o.traceparent,
	o.created_at, o.payload, o.attempts`

// collectEvent appends the row's event to a list.
func collectEvent(into *[]task.Event) func(scanner) error {
	return func(scan scanner) error {
		var e task.Event
		var made stamp
		err := scan(&e.Row, &e.ID, &e.Topic, &e.Type, &e.TaskID, &e.Sequence, &e.Traceparent,
			&made, &e.Payload, &e.Attempts)
		if err != nil {
			return err
		}
		e.Time = made.value()
		*into = append(*into, e)
		return nil
	}
}

// collectRow adds a row of taskColumns to the batch.
func (b *batch) collectRow(scan scanner) error {
	t, err := scanTask(scan)
	if err != nil {
		return err
	}
	b.rows[t.ID] = &row{task: t, stored: true}
	return nil
}

// collectReminder adds a row of reminderColumns to the task that it belongs to.
func (b *batch) collectReminder(scan scanner) error {
	var r task.Reminder
	var due stamp
	if err := scan(&r.TaskID, &due, &r.State, &r.Sequence); err != nil {
		return err
	}
	r.DueAt = due.value()
	if row := b.rows[r.TaskID]; row != nil {
		row.reminder = r
	}
	return nil
}

// collectDue adds a row of taskColumns and reminderColumns to those that fall due.
func (b *batch) collectDue(scan scanner) error {
	var r task.Reminder
	var due stamp
	t, err := scanTask(func(into ...any) error {
		return scan(append(into, &r.TaskID, &due, &r.State, &r.Sequence)...)
	})
	if err != nil {
		return err
	}
	r.DueAt = due.value()
	b.rows[t.ID] = &row{task: t, reminder: r, stored: true}
	b.due = append(b.due, t.ID)
	return nil
}

// collectReceipt adds a row of consumer and event_id to the batch.
func (b *batch) collectReceipt(scan scanner) error {
	var r receipt
	err := scan(&r.consumer, &r.event)
	b.received[r] = true
	return err
}

// collectPrevious adds the id of a task that has a next one to the batch.
func (b *batch) collectPrevious(scan scanner) error {
	var id int64
	err := scan(&id)
	b.continued[id] = true
	return err
}

// collectKey adds a row of user_id, key, fingerprint and answer to the batch.
func (b *batch) collectKey(scan scanner) error {
	var k saved
	var answer string
	if err := scan(&k.user, &k.key, &k.fingerprint, &answer); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(answer), &k.task); err != nil {
		return fmt.Errorf("answer to idempotency key %q: %w", k.key, err)
	}
	b.keys[k.keyID] = k
	return nil
}

// answer is the task as idempotency_keys keeps it.
func (k saved) answer() string {
	text, _ := json.Marshal(k.task) // strings and numbers, and times of the years 1 to 9999
	return string(text)
}

// reason is the text of a failure, as both databases can store it.
func reason(f task.Failure) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(f.Reason, "\x00", ""), "\uFFFD")
	if len(text) > maxReason {
		text = strings.ToValidUTF8(text[:maxReason], "")
	}
	return text
}
