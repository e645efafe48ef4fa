//go:build unix

package faults

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// answerBound is how long any answer may take: the API gives the store 5 s.
const answerBound = 7 * time.Second

// A trouble is something that a database can have.
type trouble struct {
	name  string
	begin func() (end func())

	reads  bool   // work all the same
	some   bool   // writes still pass while it lasts, for a while
	silent bool   // requests wait for all of their time
	says   string // a log line beside those of all troubles
}

// Whatever is wrong with the database, a change that can't be stored is a 503 with
// Retry-After, the log tells once that it began and once that it is over, a metric
// counts, and the process goes on by itself when all is well again.
func TestDatabaseInTrouble(t *testing.T) {
	t.Parallel()
	for _, postgres := range []bool{false, true} {
		name := map[bool]string{false: "SQLite", true: "PostgreSQL"}[postgres]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDrill(t, options{postgres: postgres, replicas: 1})
			direct := d.direct()
			all := d.sqliteTroubles(direct)
			if postgres {
				all = d.postgresTroubles(direct)
			}
			if tr, ok := d.full(); ok {
				all = append(all, tr)
			}
			for _, tr := range all {
				d.Logf("%s: %s", name, tr.name)
				d.suffer(tr)
			}
			d.judge()
		})
	}
}

// direct opens the database past todoctl, to do what is done to it.
func (d *drill) direct() *sql.DB {
	driver, source := "sqlite", "file:"+d.db.direct+"?_pragma=busy_timeout(5000)"
	if d.db.server != nil {
		driver, source = "pgx", d.db.direct
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		d.Fatal(err)
	}
	d.Cleanup(func() { db.Close() })
	return db
}

// exec runs a statement, and one that undoes it in the end.
func (d *drill) exec(db *sql.DB, do, undo string) func() func() {
	run := func(statement string) {
		for one := range strings.SplitSeq(statement, ";") {
			if _, err := db.ExecContext(d.ctx, one); err != nil {
				d.Errorf("%s: %v", one, err)
			}
		}
	}
	return func() func() {
		run(do)
		return func() { run(undo) }
	}
}

// newerSchema is what a newer todoctl could do to the database while this one runs.
func (d *drill) newerSchema(db *sql.DB) trouble {
	return trouble{name: "migrated by a newer version", reads: true, says: "database migrated by a newer todoctl", begin: d.exec(db,
		"ALTER TABLE outbox RENAME COLUMN payload TO content; INSERT INTO schema_migrations VALUES (99, '0099_future', '')",
		"ALTER TABLE outbox RENAME COLUMN content TO payload; DELETE FROM schema_migrations WHERE version = 99")}
}

func (d *drill) sqliteTroubles(db *sql.DB) []trouble {
	path := d.db.direct
	rename := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			d.Error(err)
		}
	}
	return []trouble{
		{name: "gone", reads: true, begin: func() func() {
			rename(path, path+".moved")
			return func() { rename(path+".moved", path) }
		}},
		{name: "slow: locked by another process", reads: true, silent: true, begin: func() func() {
			conn, err := db.Conn(d.ctx)
			if err != nil {
				d.Fatal(err)
			}
			if _, err := conn.ExecContext(d.ctx, "BEGIN IMMEDIATE"); err != nil {
				d.Fatal(err)
			}
			return func() {
				if _, err := conn.ExecContext(d.ctx, "ROLLBACK"); err != nil {
					d.Error(err)
				}
				conn.Close()
			}
		}},
		d.newerSchema(db),
	}
}

func (d *drill) postgresTroubles(db *sql.DB) []trouble {
	return []trouble{
		{name: "gone", begin: func() func() {
			d.db.server.Stop()
			return func() {
				if err := d.db.server.Start(d.ctx); err != nil {
					d.Fatal(err)
				}
			}
		}},
		{name: "slow: each piece takes 10 s", silent: true, begin: func() func() {
			d.db.proxy.set(slow, 10*time.Second)
			return func() { d.db.proxy.set(fair, 0) }
		}},
		{name: "read-only", reads: true, begin: d.exec(db,
			"ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()",
			"ALTER SYSTEM RESET default_transaction_read_only; SELECT pg_reload_conf()")},
		d.newerSchema(db),
	}
}

// full leaves no room for the database. A PostgreSQL that finds none for its log ends
// itself, and is started again as an operator does. It has no limit of its own: its
// segments are longer than all that is written here.
func (d *drill) full() (trouble, bool) {
	var room room
	if d.db.disk != nil || d.db.server == nil {
		room = roomOf(d.db.disk, filepath.Dir(d.db.direct), d.replicas[0].child)
	}
	if room == nil {
		d.Log("a full disk is left out: none can be filled here")
		return trouble{}, false
	}
	return trouble{name: "full", reads: true, some: true, begin: func() func() {
		if err := room.shrink(); err != nil {
			d.Fatal(err)
		}
		return func() {
			if err := room.grow(); err != nil {
				d.Fatal(err)
			}
			if err := d.db.revive(d.ctx); err != nil {
				d.Fatal(err)
			}
		}
	}}, true
}

// suffer goes through one trouble.
func (d *drill) suffer(tr trouble) {
	r := d.replicas[0]
	d.well()
	log := d.log(r)
	const failures = `todo_store_failures_total{operation="write"}`
	counted := r.metric(d.ctx, failures)

	end := tr.begin()
	if !tr.silent { // it takes a moment; a silent one would take its time
		d.until(20*time.Second, "a change is refused", d.refusedOrMade)
	}
	d.ask(tr)
	d.raised(r, failures, counted)
	end()

	healed := time.Now()
	d.until(20*time.Second, "changes are made again", func() bool { return d.create().outcome == checker.OK })
	d.Logf("%s: changes are made again %.1f s after its end", tr.name, time.Since(healed).Seconds())
	d.until(20*time.Second, "the log tells the end", func() bool {
		d.create()
		d.status("/readyz")
		return log.count("database available again", "operation=write") == 1 &&
			log.count("database available again", "operation=read") == log.count("database unavailable", "operation=read")
	})
	log.once("database unavailable", "operation=write")
	if want, n := map[bool]int{true: 0, false: 1}[tr.reads], log.count("database unavailable", "operation=read"); n != want {
		d.Errorf("%d log lines of reads that fail, want %d:\n%s", n, want, log.text())
	}
	for _, line := range []string{"relay lost the lead", "outbox can't be read", "outbox takes no marks"} {
		if n := log.count(line); n > 1 {
			d.Errorf("%d log lines with %q, want one at most:\n%s", n, line, log.text())
		}
	}
	if tr.says != "" {
		log.once(tr.says)
	}
	log.calm()
	d.until(20*time.Second, "every event is out", func() bool { return d.waiting() == 0 })
}

// refusedOrMade makes a change and tells whether it was refused; whatever the answer
// is, it must be right.
func (d *drill) refusedOrMade() bool {
	began := time.Now()
	a := d.create()
	if took := time.Since(began); took > answerBound {
		d.Errorf("the answer took %s", took)
	}
	if a.outcome == checker.OK {
		return false
	}
	if a.status != http.StatusServiceUnavailable || a.retry == "" {
		d.Errorf("create: %d, Retry-After %q, want 503 and one", a.status, a.retry)
	}
	return true
}

// ask sends requests of all kinds at once.
func (d *drill) ask(tr trouble) {
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if !d.refusedOrMade() && !tr.some {
				d.Error("a change was made while the database couldn't take it")
			}
		})
	}
	all.Go(func() {
		if status, took := d.status("/livez"); status != http.StatusOK || took > time.Second {
			d.Errorf("/livez: %d after %s", status, took)
		}
	})
	all.Go(func() {
		want := map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[tr.reads]
		if status, took := d.status("/readyz"); status != want || took > 2*time.Second {
			d.Errorf("/readyz: %d after %s, want %d", status, took, want)
		}
		if status, took := d.status("/api/drill/tasks?limit=1"); status != want || took > answerBound {
			d.Errorf("list: %d after %s, want %d", status, took, want)
		}
	})
	all.Wait()
}

// A database that takes 10 s for each answer makes nothing pile up: not requests, not
// goroutines, not connections.
func TestSlowDatabasePilesUpNothing(t *testing.T) {
	t.Parallel()
	d := newDrill(t, options{postgres: true, replicas: 1})
	r := d.replicas[0]
	if a := d.create(); a.outcome != checker.OK {
		t.Fatalf("create: %d", a.status)
	}
	before := r.metric(d.ctx, "go_goroutines")
	d.db.proxy.set(slow, 10*time.Second)
	d.c.http.Transport = &http.Transport{MaxIdleConnsPerHost: 2000}
	const requests, places = 1400, 1000
	var mu sync.Mutex
	atOnce, late := 0, 0
	var all sync.WaitGroup
	for range requests {
		all.Go(func() {
			began := time.Now()
			d.refusedOrMade()
			mu.Lock()
			defer mu.Unlock()
			if time.Since(began) < 4*time.Second {
				atOnce++
			} else {
				late++
			}
		})
	}
	all.Wait()
	if atOnce < requests-places || late == 0 {
		t.Errorf("%d answers at once and %d late, want at least %d at once", atOnce, late, requests-places)
	}
	d.c.http.CloseIdleConnections()
	connections := d.connections()
	if most := 16; connections > most {
		t.Errorf("%d connections to PostgreSQL, want at most %d", connections, most)
	}
	d.until(20*time.Second, "the goroutines are gone", func() bool { return r.metric(d.ctx, "go_goroutines") < before+60 })
	t.Logf("%d at once, %d late, %d connections, goroutines %.0f before, %.0f after", atOnce, late, connections, before, r.metric(d.ctx, "go_goroutines"))
	d.db.proxy.set(fair, 0)
	d.until(20*time.Second, "changes are made again", func() bool { return d.create().outcome == checker.OK })
	d.judge()
}

// connections counts those of todoctl to PostgreSQL.
func (d *drill) connections() int {
	var n int
	ctx, cancel := context.WithTimeout(d.ctx, 5*time.Second)
	defer cancel()
	const count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todoctl'"
	if err := d.direct().QueryRowContext(ctx, count).Scan(&n); err != nil {
		d.Fatal(fmt.Errorf("count connections: %w", err))
	}
	return n
}
