package checker

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	_ "modernc.org/sqlite"             // the driver sqlite
)

// A Database is the database of a campaign, read past the store that writes it.
type Database struct{ db *sql.DB }

// OpenDatabase prepares to read the database of a postgres:// URL or a SQLite file.
// It connects when it is asked something.
func OpenDatabase(address string) (*Database, error) {
	driver, source := "sqlite", "file:"+address+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)"
	if strings.HasPrefix(address, "postgres://") {
		driver, source = "pgx", address
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db.SetMaxOpenConns(1)
	return &Database{db}, nil
}

// Close disconnects.
func (d *Database) Close() error { return d.db.Close() }

// Waiting counts the rows of the outbox that aren't published, parked ones too.
func (d *Database) Waiting(ctx context.Context) (int, error) {
	var n int
	err := d.db.QueryRowContext(ctx, "SELECT count(*) FROM outbox WHERE published_at IS NULL").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the outbox: %w", err)
	}
	return n, nil
}

// TerminateBackends ends the connections of todoctl to PostgreSQL, and says how many
// there were.
func (d *Database) TerminateBackends(ctx context.Context) (int, error) {
	var n int
	err := d.db.QueryRowContext(ctx, `SELECT count(*) FROM
		(SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'todoctl') AS ended`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("terminate backends: %w", err)
	}
	return n, nil
}

// Rows reads what the outbox has.
func (d *Database) Rows(ctx context.Context) ([]Row, error) {
	var rows []Row
	const all = `SELECT CAST(event_id AS text), topic, type, task_id, seq, traceparent, payload,
		published_at IS NOT NULL, parked_at IS NOT NULL FROM outbox`
	err := d.each(ctx, all, func(scan func(...any) error) error {
		var row Row
		var id, kind string
		var payload []byte
		err := scan(&id, &row.Topic, &kind, &row.Task, &row.Seq, &row.Trace, &payload, &row.Published, &row.Parked)
		if err != nil {
			return err
		}
		if row.Event, err = ParseEvent(payload); err != nil {
			return err
		}
		if row.ID != id || row.Type != kind {
			return fmt.Errorf("row of event %s, %s: its payload is event %s, %s", id, kind, row.ID, row.Type)
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return rows, nil
}

// Tasks reads the tasks.
func (d *Database) Tasks(ctx context.Context) ([]Task, error) {
	var tasks []Task
	err := d.each(ctx, "SELECT id, seq, title, completed FROM tasks", func(scan func(...any) error) error {
		var t Task
		err := scan(&t.ID, &t.Sequence, &t.Title, &t.Completed)
		tasks = append(tasks, t)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read tasks: %w", err)
	}
	return tasks, nil
}

func (d *Database) each(ctx context.Context, query string, row func(scan func(...any) error) error) error {
	rows, err := d.db.QueryContext(ctx, query)
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
