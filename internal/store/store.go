// Package store keeps tasks, the outbox of their events and their reminders, on PostgreSQL 15 or
// later or in one SQLite file. It is the only package that knows SQL.
//
// It guarantees: a change and its events are written in one transaction or not at
// all, and Change returns without an error only once they are on disk. Concurrent
// changes share a transaction (group commit), yet each gets its own answer.
// Events of a task have the sequences 1 to n without gaps, on each topic. A reminder
// falls due once, and an event is handled once by a consumer, or owed to it once. Every query is bound to
// the user that it is made for.
//
// It doesn't publish, and it knows no HTTP. Where the answer to a COMMIT is lost
// it can't tell whether the change was made: the error says so, and an
// idempotency key makes it safe to ask again.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// Options are what a Store may be given; the zero value is complete.
type Options struct {
	Now     func() time.Time      // time.Now by default
	Log     *slog.Logger          // nothing is logged by default
	Metrics prometheus.Registerer // none by default
}

// A Store is an open database. Its methods may be called by many goroutines.
type Store struct {
	db      database
	changes *group // writes changes
	marks   *group // writes what the relay reports; the same as changes on SQLite
	changed chan struct{}
	now     func() time.Time
	log     *slog.Logger
	metrics metrics
	reads   *health // of requests: the relay keeps account of its own
	writes  *health
	known   int          // the newest version of the schema that this todoctl knows
	ahead   atomic.Int64 // versions that the database is ahead of it
	heads   headScan
}

// A database is what the Store needs of PostgreSQL or SQLite.
type database interface {
	// read runs queries on one snapshot.
	read(ctx context.Context, queries ...query) error
	// exec runs one statement in a transaction of its own and returns the number
	// of rows that it touched.
	exec(ctx context.Context, sql string, args ...any) (int, error)
	// returning runs one statement that writes, in a transaction of its own, and
	// calls q.row for each row that it returns.
	returning(ctx context.Context, q query) error
	// write runs a batch in one transaction.
	write(ctx context.Context, b *batch) error
	// verdict says what to do about an error of write.
	verdict(err error) verdict
	// dialect is the SQL that differs.
	dialect() dialect
	// sharedWriter reports whether all writes go one after the other anyway.
	sharedWriter() bool
	lead(ctx context.Context) (context.Context, func(), error)
	// leader tells whether anybody leads, without standing for it.
	leader(ctx context.Context) (Leader, error)
	// explain makes one line of why the database can't be used.
	explain(err error) error
	close() error
}

// Open connects to the database that url names (postgres://, postgresql://,
// sqlite:PATH, sqlite:///absolute/path or a plain path) and brings its schema up to
// date; ctx bounds both. An error is one line that says what is wrong, where, and
// what to do; it never holds the password.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	return openAs(ctx, url, makeSchema, opts)
}

// OpenExisting is Open for a database that is there already, with the schema that
// this todoctl needs: it creates nothing and migrates nothing.
func OpenExisting(ctx context.Context, url string, opts Options) (*Store, error) {
	return openAs(ctx, url, asItIs, opts)
}

func openAs(ctx context.Context, url string, how opening, opts Options) (*Store, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	db, err := open(ctx, url, how)
	if err != nil {
		return nil, err
	}
	steps, err := migrations(db.dialect().kind)
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	s := &Store{db: db, changed: make(chan struct{}, 1), now: opts.Now, log: opts.Log, known: len(steps)}
	s.metrics = newMetrics(opts.Metrics)
	s.reads, s.writes = s.metrics.health("read", s.log), s.metrics.health("write", s.log)
	s.changes = startGroup(context.WithoutCancel(ctx), s.write)
	s.marks = s.changes
	if !db.sharedWriter() {
		s.marks = startGroup(context.WithoutCancel(ctx), s.write)
	}
	return s, nil
}

// An opening says what to do about a database that isn't as this todoctl needs it.
type opening int

const (
	makeSchema opening = iota // create and migrate it
	asItIs                    // refuse it
)

func open(ctx context.Context, url string, how opening) (database, error) {
	at, err := parseAddress(url)
	if err != nil {
		return nil, err
	}
	if at.path != "" {
		return openSQLite(ctx, at.path, how)
	}
	return openPostgres(ctx, at.postgres, how)
}

// Close waits for the writes under way, fails those that come later, and
// disconnects. Give up leadership first.
func (s *Store) Close() error {
	s.changes.close()
	s.marks.close()
	return s.db.close()
}

// Changed receives a value after a commit that wrote events. It holds one at most:
// whoever receives it looks for all that is new.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// Lead blocks until this process is the only leader among all that share the
// database, or ctx ends. The context that it returns, a child of ctx, ends when
// leadership is lost; the function gives it up and must be called in the end. On
// PostgreSQL a leader that was paused for 3 s has lost its place to another and may
// learn of it late, up to 4 s after it goes on; on SQLite it keeps its place.
func (s *Store) Lead(ctx context.Context) (context.Context, func(), error) {
	leading, giveUp, err := s.db.lead(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("become leader: %w", err)
	}
	return leading, giveUp, nil
}

// readError wraps what kept a query from its answer.
func readError(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", what, task.ErrUnavailable, err)
}
