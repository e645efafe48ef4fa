package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/todoctl/todoctl/test/pgserver"
)

// pgbenchScript is the transaction of the peer: the three rows that a create writes,
// and its id, which the client needs for its answer. Event ids grow, as ours do.
const pgbenchScript = `BEGIN;
INSERT INTO tasks (user_id, title, title_lower, description, description_lower, completed, priority, tags, recurrence, created_at, updated_at, seq)
  VALUES ('u1', 'Buy groceries for the week', 'buy groceries for the week', '', '', false, 2, '["home"]', 'none', now(), now(), 1) RETURNING id \gset
INSERT INTO outbox (event_id, topic, type, task_id, seq, payload, traceparent, created_at, next_attempt_at)
  VALUES (lpad(to_hex(:id::bigint * 2), 32, '0')::uuid, 'task-events', 'task.created', :id, 1, '\x%x', '', now(), now()),
    (lpad(to_hex(:id::bigint * 2 + 1), 32, '0')::uuid, 'task-updates', 'task.sync', :id, 1, '\x%x', '', now(), now());
COMMIT;
`

// A postgres is a PostgreSQL server of our own, set up as initdb does it: fsync on.
type postgres struct {
	rig    *rig
	server *pgserver.Server
	admin  *pgx.Conn
	pid    int
}

func startPostgres(ctx context.Context, r *rig) (_ *postgres, err error) {
	p := &postgres{rig: r}
	if p.server, err = pgserver.New(ctx); err != nil {
		return nil, err
	}
	if err := p.server.Start(ctx); err != nil {
		return nil, errors.Join(err, p.server.Remove())
	}
	if p.admin, err = pgx.Connect(ctx, p.server.URL("postgres")); err != nil {
		p.server.Stop()
		return nil, errors.Join(err, p.server.Remove())
	}
	if p.pid, err = p.postmaster(ctx); err != nil {
		return nil, errors.Join(err, p.close(ctx))
	}
	return p, nil
}

func (p *postgres) close(ctx context.Context) error {
	err := p.admin.Close(context.WithoutCancel(ctx))
	p.server.Stop()
	return errors.Join(err, p.server.Remove())
}

// postmaster is the process above all others of the server.
func (p *postgres) postmaster(ctx context.Context) (int, error) {
	var dir string
	if err := p.admin.QueryRow(ctx, "SHOW data_directory").Scan(&dir); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(line)
}

func (p *postgres) pids() map[string]int { return map[string]int{"database": p.pid} }

func (*postgres) name() string { return "PostgreSQL" }

func (p *postgres) version(ctx context.Context) (string, error) {
	var version string
	err := p.admin.QueryRow(ctx, "SHOW server_version").Scan(&version)
	return "PostgreSQL " + version, err
}

func (p *postgres) url(name string) string { return p.server.URL(name) }

func (p *postgres) guideURL(name string) string {
	return strings.Replace(strings.TrimSuffix(p.url(name), "?sslmode=disable"), "postgres://", "postgresql+asyncpg://", 1)
}

func (p *postgres) create(ctx context.Context, name string) error {
	_, err := p.admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

func (p *postgres) clone(ctx context.Context, from, to string) error {
	if err := p.drop(ctx, to); err != nil {
		return err
	}
	_, err := p.admin.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{to}.Sanitize()+" TEMPLATE "+pgx.Identifier{from}.Sanitize())
	return err
}

func (p *postgres) drop(ctx context.Context, name string) error {
	_, err := p.admin.Exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize())
	return err
}

func (p *postgres) settle(ctx context.Context) error {
	_, err := p.admin.Exec(ctx, "CHECKPOINT")
	return err
}

// peer is pgbench with the same three rows in a transaction, in the same tables.
func (p *postgres) peer() contender {
	return contender{"pgbench, one transaction a change", func(ctx context.Context) (turn, error) {
		events, err := samples(1)
		if err != nil {
			return turn{}, err
		}
		script := filepath.Join(p.rig.dir, "create.sql")
		if err := os.WriteFile(script, fmt.Appendf(nil, pgbenchScript, events[0].Payload, events[1].Payload), 0o600); err != nil {
			return turn{}, err
		}
		if _, _, err := p.pgbench(ctx, script, warm); err != nil {
			return turn{}, err
		}
		meter := startMeter(p.pids())
		out, took, err := p.pgbench(ctx, script, p.rig.round)
		if err != nil {
			return turn{}, err
		}
		rate, n, err := parsePgbench(out)
		t := turn{rate: rate, cpu: meter.each(n)}
		t.cpu["load"] = microseconds(took, n)
		return t, err
	}}
}

func (p *postgres) pgbench(ctx context.Context, script string, length time.Duration) ([]byte, time.Duration, error) {
	cmd := exec.CommandContext(ctx, postgresTool("pgbench"), "-n", "-M", "prepared", "-c", strconv.Itoa(p.rig.clients),
		"-j", strconv.Itoa(min(runtime.NumCPU(), p.rig.clients)), "-T", strconv.Itoa(max(1, int(length.Seconds()))), "-f", script, p.url(peerName))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, 0, fmt.Errorf("pgbench: %w: %.300s", err, out) // it says the same for each client
	}
	return out, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// parsePgbench finds the rate and the number of the transactions in pgbench's report.
func parsePgbench(out []byte) (rate float64, n int, err error) {
	found := regexp.MustCompile(`(?s)actually processed: (\d+).*\ntps = ([0-9.]+)`).FindSubmatch(out)
	if found == nil {
		return 0, 0, fmt.Errorf("pgbench reports no rate: %s", out)
	}
	if n, err = strconv.Atoi(string(found[1])); err != nil {
		return 0, 0, err
	}
	rate, err = strconv.ParseFloat(string(found[2]), 64)
	return rate, n, err
}

// postgresTool prefers the newest version's own program to Debian's wrapper.
func postgresTool(name string) string {
	if found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name); err == nil && len(found) > 0 {
		return slices.Max(found)
	}
	return name
}
