package checker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// ReadMessages reads a whole topic with kcat, whatever is in it.
func ReadMessages(ctx context.Context, broker, topic string) ([]Message, error) {
	cmd := exec.CommandContext(ctx, "kcat", "-q", "-b", broker, "-C", "-t", topic, "-o", "beginning", "-e", "-f", `%p %o %K %S %h\n%k%s`)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("kcat: %w: %s", err, &stderr)
	}
	return parseMessages(bufio.NewReader(bytes.NewReader(out)), topic)
}

// parseMessages reads a line of partition, offset, lengths of key and value and headers
// for each record, and then as many bytes: they may be any.
func parseMessages(r *bufio.Reader, topic string) ([]Message, error) {
	var all []Message
	for {
		line, err := r.ReadString('\n')
		if err == io.EOF && line == "" {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("kcat: line %.80q: %w", line, err)
		}
		m := Message{Place: Origin{Topic: topic}, Header: map[string]string{}}
		var key, value int
		if _, err := fmt.Sscan(line, &m.Place.Partition, &m.Place.Offset, &key, &value); err != nil {
			return nil, fmt.Errorf("kcat: line %.80q: %w", line, err)
		}
		for pair := range strings.SplitSeq(strings.TrimSuffix(line, "\n"), ",") {
			name, text, _ := strings.Cut(pair, "=")
			m.Header[name[strings.LastIndexByte(name, ' ')+1:]] = text
		}
		both := make([]byte, max(key, 0)+max(value, 0))
		if _, err := io.ReadFull(r, both); err != nil {
			return nil, fmt.Errorf("kcat: record %v: %w", m.Place, err)
		}
		m.Key, m.Value = string(both[:max(key, 0)]), both[max(key, 0):]
		all = append(all, m)
	}
}

// ReadLog reads the notifications that a worker's log channel has written so far. A
// line that isn't complete is not there yet.
func ReadLog(file string) ([]Telling, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the log channel: %w", err)
	}
	var all []Telling
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte("{")) || !bytes.HasSuffix(line, []byte("\n")) {
			continue // what the worker tells people
		}
		t, err := ParseTelling(line)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// ReadNoted reads what a worker has said of itself: see Run.
func ReadNoted(file string) (noted map[string]bool, buried []Origin, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("read what a worker says: %w", err)
	}
	noted = map[string]bool{}
	for line := range strings.Lines(string(text)) {
		switch {
		case strings.Contains(line, " reminded ") && attribute(line, "channel") == "log":
			noted[attribute(line, "event_id")] = true
		case strings.Contains(line, ` dead letter topic=`):
			at := Origin{Topic: attribute(line, "topic")}
			if _, err := fmt.Sscan(attribute(line, "partition")+" "+attribute(line, "offset"), &at.Partition, &at.Offset); err != nil {
				return nil, nil, fmt.Errorf("read what a worker says: %q: %w", line, err)
			}
			buried = append(buried, at)
		}
	}
	return noted, buried, nil
}

// attribute is what stands behind NAME= in a log line, up to the next space.
func attribute(line, name string) string {
	_, rest, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), " ")
	return value
}

// ParseTelling reads a notification in JSON.
func ParseTelling(text []byte) (Telling, error) {
	var n struct {
		Data struct {
			ID       string
			TaskID   int64     `json:"task_id"`
			RemindAt time.Time `json:"remind_at"`
		}
	}
	if err := json.Unmarshal(text, &n); err != nil || n.Data.ID == "" {
		return Telling{}, fmt.Errorf("notification %.200q: %w", text, err)
	}
	return Telling{n.Data.ID, ReminderAt(n.Data.TaskID, n.Data.RemindAt)}, nil
}

// Reminders reads the outbox's events of reminders.
func (d *Database) Reminders(ctx context.Context) ([]DueRow, error) {
	var rows []DueRow
	const all = "SELECT CAST(event_id AS text), type, seq, payload FROM outbox WHERE topic = 'reminders'"
	err := d.each(ctx, all, func(scan func(...any) error) error {
		var row DueRow
		var payload []byte
		if err := scan(&row.ID, &row.Type, &row.Seq, &payload); err != nil {
			return err
		}
		var event struct {
			Data struct {
				Data struct {
					TaskID   int64     `json:"task_id"`
					RemindAt time.Time `json:"remind_at"`
				}
			}
		}
		if err := json.Unmarshal(payload, &event); err != nil {
			return err
		}
		row.Reminder = ReminderAt(event.Data.Data.TaskID, event.Data.Data.RemindAt)
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return rows, nil
}

// NextTasks reads the tasks that follow another one, from what was published of their
// creation: one that was deleted since counts too.
func (d *Database) NextTasks(ctx context.Context) ([]NextTask, error) {
	var tasks []NextTask
	const created = "SELECT payload FROM outbox WHERE topic = 'task-events' AND type = 'task.created'"
	err := d.each(ctx, created, func(scan func(...any) error) error {
		var payload []byte
		if err := scan(&payload); err != nil {
			return err
		}
		var event struct {
			Time time.Time
			Data struct {
				Data struct {
					TaskID     int64  `json:"task_id"`
					PreviousID *int64 `json:"previous_id"`
				}
			}
		}
		if err := json.Unmarshal(payload, &event); err != nil {
			return err
		}
		if previous := event.Data.Data.PreviousID; previous != nil {
			tasks = append(tasks, NextTask{event.Data.Data.TaskID, *previous, event.Time})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read next tasks: %w", err)
	}
	return tasks, nil
}

// Owed reads the notifications that are to be made, as CHANNEL/EVENT.
func (d *Database) Owed(ctx context.Context) (map[string]bool, error) {
	owed := map[string]bool{}
	err := d.each(ctx, "SELECT consumer, CAST(event_id AS text) FROM deliveries", func(scan func(...any) error) error {
		var consumer, id string
		err := scan(&consumer, &id)
		owed[strings.TrimPrefix(consumer, "notify:")+"/"+id] = true
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read deliveries: %w", err)
	}
	return owed, nil
}

// Scheduled counts the reminders that have not fallen due.
func (d *Database) Scheduled(ctx context.Context) (int, error) {
	var n int
	const due = "SELECT count(*) FROM reminders WHERE state = 'scheduled'"
	if err := d.db.QueryRowContext(ctx, due).Scan(&n); err != nil {
		return 0, fmt.Errorf("count reminders: %w", err)
	}
	return n, nil
}
