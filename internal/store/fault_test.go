package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/test/pgserver"
)

// mustBeUnavailable makes a change that must fail for the database's sake.
func mustBeUnavailable(t *testing.T, s *Store) {
	t.Helper()
	if _, err := s.Change(t.Context(), create("u", "lost")); !errors.Is(err, task.ErrUnavailable) {
		t.Errorf("change: %v, want ErrUnavailable", err)
	}
}

// heal repeats a change until it succeeds, without reopening the store.
func heal(t *testing.T, s *Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for {
		_, err := s.Change(ctx, create("u", "healed"))
		if err == nil {
			return
		}
		if ctx.Err() != nil || !errors.Is(err, task.ErrUnavailable) {
			t.Fatalf("it doesn't heal: %v", err)
		}
	}
}

func TestPostgresGoneAndBack(t *testing.T) {
	needPostgres(t)
	server, err := startServer()
	if errors.Is(err, pgserver.ErrMissing) {
		t.Skip("no initdb: the server of " + dsnVariable + " isn't ours to stop")
	}
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := openStore(t, server.URL("postgres"), Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	leader := await(t, "leader", lead(t.Context(), s))
	change(t, s, create("u", "before"))
	server.Stop()
	for range 3 {
		mustBeUnavailable(t, s)
	}
	if _, err := s.Tasks(t.Context(), "u", task.Query{}); !errors.Is(err, task.ErrUnavailable) {
		t.Errorf("tasks: %v, want ErrUnavailable", err)
	}
	if s.Ping(t.Context()) == nil {
		t.Error("ping: the database is gone")
	}
	await(t, "end of leadership", leader.ctx.Done())
	leader.giveUp()
	again := lead(t.Context(), s)
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer stopServer(server)
	heal(t, s)
	await(t, "leader again", again).giveUp()
	page, err := s.Tasks(t.Context(), "u", task.Query{Sort: "id"})
	if err != nil || page.Total != 2 || page.Tasks[0].Title != "before" {
		t.Errorf("after the crash: %+v, %v", page, err)
	}
	checkWhole(t, s)
	calmDown(t, s)
	for _, operation := range []string{"read", "write"} {
		gone := strings.Count(log.String(), `level=ERROR msg="database unavailable" operation=`+operation)
		back := strings.Count(log.String(), `msg="database available again" operation=`+operation)
		if gone != 1 || back != 1 {
			t.Errorf("%s: logged %d times that it is gone and %d times that it is back, want 1 and 1:\n%s", operation, gone, back, &log)
		}
	}
}

// calmDown reads and writes until both have worked for long enough to be told well.
func calmDown(t *testing.T, s *Store) {
	t.Helper()
	tick := time.NewTicker(calm / 10)
	defer tick.Stop()
	for end := time.Now().Add(2 * calm); time.Now().Before(end); <-tick.C {
		change(t, s, create("u", "well"))
		if err := s.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// When the connection breaks after COMMIT was sent, the change may have been made:
// that is never a success, and the idempotency key tells.
func TestAnswerToCommitLost(t *testing.T) {
	target := newDatabase(t)
	proxy := newProxy(t, target)
	s := openStore(t, proxy.url)
	change(t, s, create("u", "before"))
	proxy.swallow.Store(true)
	c := keyed(create("u", "unknown"), "k", "f")
	if _, err := s.Change(t.Context(), c); !errors.Is(err, task.ErrUnavailable) {
		t.Errorf("change: %v, want ErrUnavailable", err)
	}
	proxy.swallow.Store(false)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := s.Change(ctx, c)
	for errors.Is(err, task.ErrUnavailable) && ctx.Err() == nil {
		_, err = s.Change(ctx, c)
	}
	if err != nil {
		t.Fatal(err)
	}
	if n := number(t, s, "SELECT count(*) FROM tasks WHERE title = 'unknown'"); n != 1 {
		t.Errorf("the change was made %d times, want once", n)
	}
	checkWhole(t, s)
}

// A proxy stands between a store and PostgreSQL. While swallow is set, it breaks a
// connection when the server answers to COMMIT.
type proxy struct {
	url     string
	swallow atomic.Bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	u.Host = l.Addr().String()
	p := &proxy{url: u.String()}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client, server)
		}
	}()
	return p
}

func (p *proxy) serve(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.(*net.TCPConn).CloseWrite()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil || p.swallow.Load() && bytes.Contains(buffer[:n], []byte("COMMIT\x00")) {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// Somebody's lock on one row fails the changes of that row, not their neighbours.
func TestRowLockFailsItsChangesAlone(t *testing.T) {
	url := newDatabase(t) + "&lock_timeout=100ms"
	s := openStore(t, url)
	locked, free := change(t, s, create("u", "locked")).ID, change(t, s, create("u", "free")).ID
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(context.Background(), conn)
	if _, err := conn.Exec(t.Context(), "BEGIN"); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), "SELECT 1 FROM tasks WHERE id = $1 FOR UPDATE", locked); err != nil {
		t.Fatal(err)
	}
	got := queueUp(s, toggle("u", free), toggle("u", locked), create("u", "new"))
	if got[0].err != nil || got[2].err != nil || !errors.Is(got[1].err, task.ErrUnavailable) {
		t.Errorf("free: %v; locked: %v, want ErrUnavailable; new: %v", got[0].err, got[1].err, got[2].err)
	}
	if _, err := conn.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	change(t, s, toggle("u", locked))
	checkWhole(t, s)
}

func sqliteStore(t *testing.T) (*Store, *sqliteDB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "todo.db")
	s := openStore(t, path)
	return s, s.db.(*sqliteDB), path
}

func TestSQLiteReadOnlyFullLocked(t *testing.T) {
	s, db, path := sqliteStore(t)
	mustExec(t, s, "PRAGMA busy_timeout = 50")
	change(t, s, create("u", "before"))

	mustExec(t, s, "PRAGMA query_only = 1")
	mustBeUnavailable(t, s)
	mustExec(t, s, "PRAGMA query_only = 0")
	heal(t, s)

	mustExec(t, s, fmt.Sprintf("PRAGMA max_page_count = %d", number(t, s, "PRAGMA page_count")))
	full := create("u", "big")
	full.Patch.Description = ptr(strings.Repeat("x", task.MaxDescription))
	var err error
	for range 100 {
		if _, err = s.Change(t.Context(), full); err != nil {
			break
		}
	}
	if !errors.Is(err, task.ErrUnavailable) {
		t.Errorf("full: %v, want ErrUnavailable", err)
	}
	mustExec(t, s, "PRAGMA max_page_count = 1000000")
	heal(t, s)

	other := openStore(t, path).db.(*sqliteDB)
	tx, err := other.writer.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	mustBeUnavailable(t, s)
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	heal(t, s)
	checkWhole(t, s)

	if err := os.Rename(path, path+".moved"); err != nil {
		t.Fatal(err)
	}
	mustBeUnavailable(t, s)
	if err := os.Rename(path+".moved", path); err != nil {
		t.Fatal(err)
	}
	heal(t, s)
	if mode := scalar(t, db, "PRAGMA journal_mode") + scalar(t, db, "PRAGMA synchronous"); mode != "wal2" {
		t.Errorf("journal mode and synchronous are %s, want wal and 2 (FULL)", mode)
	}
}

func scalar(t *testing.T, db *sqliteDB, sql string) string {
	t.Helper()
	var value string
	if err := db.writer.QueryRowContext(t.Context(), sql).Scan(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// Two stores write one file, with marks and pruning among the changes: nobody
// meets a locked database.
func TestSQLiteSharedByTwoStores(t *testing.T) {
	s, _, path := sqliteStore(t)
	stores := []*Store{s, openStore(t, path)}
	inParallel(8, func(i int) {
		s := stores[i%2]
		for range 10 {
			if _, err := s.Change(context.Background(), create("u", "t")); err != nil {
				t.Errorf("change: %v", err)
			}
			events, err := s.Heads(context.Background(), 3)
			if err != nil {
				t.Errorf("heads: %v", err)
			}
			rows := column(events, func(e task.Event) int64 { return e.Row })
			if err := s.MarkPublished(context.Background(), rows); err != nil {
				t.Errorf("mark: %v", err)
			}
			if _, err := s.Prune(context.Background(), time.Unix(0, 0)); err != nil {
				t.Errorf("prune: %v", err)
			}
		}
	})
	if n := number(t, s, "SELECT count(*) FROM tasks"); n != 80 {
		t.Errorf("%d tasks, want 80", n)
	}
	checkWhole(t, s)
}

func TestCancelledChangeIsNotMade(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Change(ctx, create("u", "late")); !errors.Is(err, context.Canceled) {
			t.Errorf("change: %v, want context.Canceled", err)
		}
		if n := number(t, s, "SELECT count(*) FROM tasks"); n != 0 {
			t.Errorf("%d tasks, want none", n)
		}
	})
}

func TestClosedStoreTakesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		mustBeUnavailable(t, s)
		if err := s.MarkPublished(t.Context(), []int64{1}); !errors.Is(err, task.ErrUnavailable) {
			t.Errorf("mark: %v, want ErrUnavailable", err)
		}
	})
}
