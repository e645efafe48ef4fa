package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

const (
	peerTask = `INSERT INTO tasks (user_id, title, title_lower, description, description_lower, completed, priority,
		tags, recurrence, created_at, updated_at, seq) VALUES ($1, $2, $3, '', '', 0, 2, '["home"]', 'none', $4, $4, 1)`
	peerEvent = `INSERT INTO outbox (event_id, topic, type, task_id, seq, traceparent, created_at, next_attempt_at, payload)
		VALUES ($1, $5, $6, $2, 1, '', $3, $3, $4)`
)

// A sqlitePeer writes each change in a transaction of its own. It has one
// connection, which its goroutines wait for in turn: SQLite has one writer at a
// time, and more connections only collide.
type sqlitePeer struct {
	db          *sql.DB
	task, event *sql.Stmt
	events      []task.Event
}

// runSQLitePeer takes a path, the number of goroutines, the warm-up and the length,
// and prints a tally.
func runSQLitePeer(ctx context.Context, out io.Writer, args []string) (err error) {
	if len(args) != 4 {
		return errors.New("the SQLite peer needs a path, clients, warm-up and length")
	}
	clients, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	var l load
	for arg, into := range map[string]*time.Duration{args[2]: &l.warm, args[3]: &l.length} {
		if *into, err = time.ParseDuration(arg); err != nil {
			return err
		}
	}
	p, err := openSQLitePeer(ctx, args[0])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.db.Close()) }()
	begin := time.Now().Add(l.warm)
	workers := make([]worker, clients)
	var running sync.WaitGroup
	for i := range workers {
		running.Go(func() { workers[i].write(ctx, p, begin.Add(l.length)) })
	}
	running.Wait()
	t := l.sum(workers, begin)
	if t.Failures > 0 {
		return errors.New(t.Failure)
	}
	return json.NewEncoder(out).Encode(t)
}

// openSQLitePeer opens the file with the settings of todoctl's own writer.
func openSQLitePeer(ctx context.Context, path string) (*sqlitePeer, error) {
	options := url.Values{"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"1"}, "_txlock": {"immediate"},
		"_time_integer_format": {"unix_micro"}, "_pragma": {"journal_size_limit(67108864)"}}
	events, err := samples(1)
	if err != nil {
		return nil, err
	}
	p := &sqlitePeer{events: events}
	if p.db, err = sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: options.Encode()}).String()); err != nil {
		return nil, err
	}
	p.db.SetMaxOpenConns(1)
	if p.task, err = p.db.PrepareContext(ctx, peerTask); err == nil {
		p.event, err = p.db.PrepareContext(ctx, peerEvent)
	}
	if err != nil {
		return nil, errors.Join(err, p.db.Close())
	}
	return p, nil
}

// write writes one change after the other until the end.
func (w *worker) write(ctx context.Context, p *sqlitePeer, end time.Time) {
	for ctx.Err() == nil {
		due := time.Now()
		if !due.Before(end) {
			return
		}
		id, err := p.change(ctx, due)
		if err != nil {
			w.failures, w.failure = w.failures+1, err
			return
		}
		w.answers = append(w.answers, answer{id, due, time.Now()})
	}
}

func (p *sqlitePeer) change(ctx context.Context, now time.Time) (int64, error) {
	tx, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback() // after Commit it does nothing
	made, err := tx.StmtContext(ctx, p.task).ExecContext(ctx, "u1", "Buy groceries for the week", "buy groceries for the week", now)
	if err != nil {
		return 0, err
	}
	id, err := made.LastInsertId()
	if err != nil {
		return 0, err
	}
	event := tx.StmtContext(ctx, p.event)
	for i, e := range p.events {
		// The id is as long as a UUID, and grows as ours do.
		eventID := fmt.Sprintf("%036d", int(id)*len(p.events)+i)
		if _, err := event.ExecContext(ctx, eventID, id, now, e.Payload, e.Topic, e.Type); err != nil {
			return 0, err
		}
	}
	return id, tx.Commit()
}
