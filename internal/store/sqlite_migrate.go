package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const hasSchemaSQLite = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'schema_migrations'"

// migrateSQLite brings the schema up to date and returns the steps that it took. Of
// several processes one migrates, the others wait for it. The switch of a new file
// to WAL doesn't heed the busy timeout (sqlite.org/wal.html, "Sometimes queries
// return SQLITE_BUSY in WAL mode"), so it is tried again here.
func migrateSQLite(ctx context.Context, db *sql.DB) ([]migration, error) {
	steps, err := migrations("sqlite")
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(busyTimeout); ; {
		done, err := stepUpSQLite(ctx, db, steps)
		if code(err) != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return done, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func stepUpSQLite(ctx context.Context, db *sql.DB, steps []migration) ([]migration, error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after Commit it does nothing
	var exists bool
	if err := tx.QueryRowContext(ctx, hasSchemaSQLite).Scan(&exists); err != nil {
		return nil, err
	}
	if !exists {
		if _, err := tx.ExecContext(ctx, createMigrations); err != nil {
			return nil, err
		}
	}
	var version int
	if err := tx.QueryRowContext(ctx, currentVersion).Scan(&version); err != nil {
		return nil, err
	}
	todo, err := pending(steps, version)
	if err != nil {
		return nil, err
	}
	for _, m := range todo {
		if _, err := tx.ExecContext(ctx, m.sql); err != nil {
			return nil, fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.ExecContext(ctx, recordMigration, m.version, m.name, appliedAt()); err != nil {
			return nil, err
		}
	}
	return todo, tx.Commit()
}
