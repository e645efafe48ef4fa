package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// writeConns are the connections of the write pool: one for each group, one for
// pruning, one each for claims of reminders and of deliveries. Writes have a pool of their
// own so that no list query is in their way.
const writeConns = 5

// notNull is the SQLSTATE of a column without a value that must have one.
const notNull = "23502"

// A postgres is a PostgreSQL database.
type postgres struct {
	reads   *pgxpool.Pool
	writes  *pgxpool.Pool
	reserve []int64 // ids for tasks, taken from the sequence; only the changes' group uses it
}

func openPostgres(ctx context.Context, url string, how opening) (*postgres, error) {
	p, err := connectPostgres(ctx, url)
	if err != nil {
		return nil, err
	}
	if how == makeSchema {
		_, err = migratePostgres(ctx, p.reads.Config().ConnConfig)
	} else {
		err = checkSchema(ctx, p)
	}
	if err != nil {
		_ = p.close() // the first error counts
		return nil, p.explain(err)
	}
	return p, nil
}

// connectPostgres makes the pools, whose connections are opened when they are first
// used.
func connectPostgres(ctx context.Context, url string) (*postgres, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil { // its text could hold the password
		return nil, errors.New("the PostgreSQL URL can't be read: write postgres://user:password@host:5432/name, with special characters of the password percent-encoded")
	}
	settings(config)
	writing := config.Copy()
	writing.MaxConns = writeConns
	writing.AfterConnect = durable
	p := &postgres{}
	if p.reads, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, explain(describePostgres(&config.ConnConfig.Config), err)
	}
	if p.writes, err = pgxpool.NewWithConfig(ctx, writing); err != nil {
		p.reads.Close()
		return nil, explain(describePostgres(&config.ConnConfig.Config), err)
	}
	return p, nil
}

func (p *postgres) explain(err error) error {
	return explain(describePostgres(&p.reads.Config().ConnConfig.Config), err)
}

// settings are those of every connection, unless the URL sets them. The outbox goes
// from empty to a million rows and back faster than statistics follow; measured
// without them, the relay's query sorted the million in 600 ms where the index
// gives the same rows in 3 ms. So plans are made anew each time, and from indexes:
// every statement here has one.
func settings(config *pgxpool.Config) {
	for name, value := range map[string]string{
		"application_name":                    "todoctl",
		"enable_bitmapscan":                   "off",
		"enable_seqscan":                      "off",
		"jit":                                 "off",
		"lock_timeout":                        "3s",
		"plan_cache_mode":                     "force_custom_plan",
		"statement_timeout":                   "10s",
		"idle_in_transaction_session_timeout": "10s",
	} {
		if _, ok := config.ConnConfig.RuntimeParams[name]; !ok {
			config.ConnConfig.RuntimeParams[name] = value
		}
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 5 * time.Second
	}
}

// durable makes commits wait for the disk where the server is set up not to.
func durable(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false)
		WHERE current_setting('synchronous_commit') = 'off'`)
	return err
}

func (p *postgres) read(ctx context.Context, queries ...query) error {
	if len(queries) == 1 {
		q := queries[0]
		rows, err := p.reads.Query(ctx, q.sql, q.args...)
		if err != nil {
			return err
		}
		return each(rows, q.row)
	}
	// One round trip, one snapshot.
	tx := &pgx.Batch{}
	tx.Queue("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	for _, q := range queries {
		tx.Queue(q.sql, q.args...).Query(func(rows pgx.Rows) error { return each(rows, q.row) })
	}
	tx.Queue("COMMIT")
	return p.reads.SendBatch(ctx, tx).Close()
}

func each(rows pgx.Rows, row func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (p *postgres) exec(ctx context.Context, sql string, args ...any) (int, error) {
	tag, err := p.writes.Exec(ctx, sql, args...)
	return int(tag.RowsAffected()), err
}

func (p *postgres) returning(ctx context.Context, q query) error {
	rows, err := p.writes.Query(ctx, q.sql, q.args...)
	if err != nil {
		return err
	}
	return each(rows, q.row)
}

func (*postgres) dialect() dialect {
	return dialect{
		kind:       "postgres",
		hasSchema:  hasSchemaPostgres,
		contains:   "strpos(%s, ?) > 0",
		hasTags:    "tags @> ?::jsonb",
		without:    "o.id <> ALL($5::bigint[])",
		skipLocked: "FOR UPDATE SKIP LOCKED",
		list:       func(ids []int64) any { return append([]int64{}, ids...) }, // nil would be NULL
	}
}

func (*postgres) sharedWriter() bool { return false }

func (p *postgres) close() error {
	p.writes.Close()
	p.reads.Close()
	return nil
}

// verdict goes by the SQLSTATE: only a server that answered with an error has
// certainly not committed.
func (*postgres) verdict(err error) verdict {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) {
		return unavailable
	}
	switch class := answer.Code[:2]; {
	case class == "40", // serialization failure, deadlock
		slices.Contains([]string{"idempotency_keys_pkey", "inbox_pkey", "tasks_previous"}, answer.ConstraintName): // another replica was first
		return again
	case answer.Code == notNull: // nothing here writes a null: a newer schema has a column more
		return unavailable
	case class == "22", class == "23", class == "54": // data, constraint, limit of the server
		return divide
	case answer.Code == "55P03": // lock_timeout
		return blocked
	default:
		return unavailable
	}
}

// explain makes one line of why a database can't be opened, with what to do.
func explain(name string, err error) error {
	cause, hint := strings.Join(strings.Fields(err.Error()), " "), "check that PostgreSQL runs there and can be reached"
	var answer *pgconn.PgError
	switch {
	case errors.As(err, &answer):
		cause, hint = answer.Message, advice(answer.Code)
	case errors.Is(err, errSchema), errors.Is(err, errBehind):
		return fmt.Errorf("open %s: %w", name, err)
	}
	return &openError{fmt.Sprintf("open %s: %s: %s", name, cause, hint), err}
}

func advice(code string) string {
	switch code {
	case "28P01", "28000":
		return "check the user and the password of the URL"
	case "3D000":
		return "create the database (createdb) or name another"
	case "42501":
		return "grant the user the right to create tables there, or use the owner"
	case "25006":
		return "name the primary: this server takes no writes"
	default:
		return "SQLSTATE " + code
	}
}

// An openError has a text for people and keeps the cause for errors.Is and As.
type openError struct {
	text string
	err  error
}

func (e *openError) Error() string { return e.text }
func (e *openError) Unwrap() error { return e.err }
