package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

// migrateSQLite brings the schema up to date. Of several processes one migrates,
// the others wait for it. The switch of a new file to WAL doesn't heed the busy
// timeout (sqlite.org/wal.html, "Sometimes queries return SQLITE_BUSY in WAL
// mode"), so it is tried again here.
func migrateSQLite(ctx context.Context, db *sql.DB) error {
	steps, err := migrations("sqlite")
	if err != nil {
		return err
	}
	for end := time.Now().Add(busyTimeout); ; {
		err := stepUpSQLite(ctx, db, steps)
		if code(err) != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func stepUpSQLite(ctx context.Context, db *sql.DB, steps []migration) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	var exists bool
	const known = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'schema_migrations'"
	if err := tx.QueryRowContext(ctx, known).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := tx.ExecContext(ctx, createMigrations); err != nil {
			return err
		}
	}
	var version int
	if err := tx.QueryRowContext(ctx, currentVersion).Scan(&version); err != nil {
		return err
	}
	todo, err := pending(steps, version)
	if err != nil {
		return err
	}
	for _, m := range todo {
		if _, err := tx.ExecContext(ctx, m.sql); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.ExecContext(ctx, recordMigration, m.version, m.name, appliedAt()); err != nil {
			return err
		}
	}
	return tx.Commit()
}
