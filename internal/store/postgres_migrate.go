package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// The advisory locks, besides a hash of the schema's name.
const (
	migrationLock = 0x7464_6d67
	leaderLock    = 0x7464_6c64
)

const hasSchemaPostgres = "SELECT to_regclass('schema_migrations') IS NOT NULL"

// migratePostgres brings the schema up to date on a connection of its own and
// returns the steps that it took. Of several replicas one migrates, the others wait
// for it.
func migratePostgres(ctx context.Context, config *pgx.ConnConfig) (done []migration, err error) {
	steps, err := migrations("postgres")
	if err != nil {
		return nil, err
	}
	config = config.Copy()
	config.RuntimeParams["lock_timeout"] = "0" // ctx bounds the wait
	config.RuntimeParams["statement_timeout"] = "0"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	defer closeConn(ctx, conn)
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		done, err = stepUp(ctx, tx, steps)
		return err
	})
	return done, err
}

func stepUp(ctx context.Context, tx pgx.Tx, steps []migration) ([]migration, error) {
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, hashtext(current_schema()))", migrationLock); err != nil {
		return nil, err
	}
	var exists bool
	if err := tx.QueryRow(ctx, hasSchemaPostgres).Scan(&exists); err != nil {
		return nil, err
	}
	if !exists {
		if _, err := tx.Exec(ctx, createMigrations); err != nil {
			return nil, err
		}
	}
	var version int
	if err := tx.QueryRow(ctx, currentVersion).Scan(&version); err != nil {
		return nil, err
	}
	todo, err := pending(steps, version)
	if err != nil {
		return nil, err
	}
	for _, m := range todo {
		if _, err := tx.Exec(ctx, m.sql); err != nil {
			return nil, fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.Exec(ctx, recordMigration, m.version, m.name, appliedAt()); err != nil {
			return nil, err
		}
	}
	return todo, nil
}

// closeConn says goodbye, also when ctx has ended.
func closeConn(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // nothing is lost with it
}
