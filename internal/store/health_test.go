package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// metric reads a counter or gauge without labels, or the sum of all.
func metric(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if family.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// Failures and successes in turn are one fault; the next one is told again.
func TestHealthLogsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		registry := prometheus.NewRegistry()
		h := newMetrics(registry).health("read", slog.New(slog.NewTextHandler(&log, nil)))
		h.report(time.Now(), nil)
		for fault := range 2 {
			for range 100 {
				h.report(time.Now(), errors.New("away"))
				h.report(time.Now(), nil)
			}
			late := time.Now()
			<-time.After(calm)
			h.report(time.Now(), nil)
			h.report(late, errors.New("began before it was over"))
			h.report(time.Now(), nil)
			<-time.After(calm)
			gone, back := strings.Count(log.String(), "database unavailable"), strings.Count(log.String(), "available again")
			if gone != fault+1 || back != fault+1 {
				t.Errorf("after fault %d: logged %d times that it is gone and %d times that it is back", fault+1, gone, back)
			}
		}
		if n := metric(t, registry, "todo_store_failures_total"); n != 202 {
			t.Errorf("%v failures counted, want 202", n)
		}
	})
}

// A client that goes away is no failure of the database.
func TestClientGoneIsNoFailure(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		registry := prometheus.NewRegistry()
		s := openStore(t, url, Options{Metrics: registry})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Ping(ctx); err == nil {
			t.Error("ping: no error although its context has ended")
		}
		if n := metric(t, registry, "todo_store_failures_total"); n != 0 {
			t.Errorf("%v failures counted, want none", n)
		}
	})
}

// What a newer todoctl does to the schema while this one runs: as long as it fits,
// all goes on and the log tells once; what doesn't fit any more is unavailable.
func TestMigratedByANewerVersionMeanwhile(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		var log bytes.Buffer
		registry := prometheus.NewRegistry()
		s := openStore(t, url, Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: registry})
		old := change(t, s, create("u", "before"))
		mustExec(t, s, recordMigration, s.known+1, fmt.Sprintf("%04d_future", s.known+1), appliedAt())
		mustExec(t, s, "ALTER TABLE tasks ADD COLUMN mood text NOT NULL DEFAULT ''")
		for range 3 {
			if err := s.Ping(t.Context()); err != nil {
				t.Errorf("ping: %v", err)
			}
			change(t, s, toggle("u", old.ID))
		}
		if n := strings.Count(log.String(), "database migrated by a newer todoctl"); n != 1 {
			t.Errorf("logged %d times, want once:\n%s", n, &log)
		}
		if n := metric(t, registry, "todo_store_schema_ahead"); n != 1 {
			t.Errorf("todo_store_schema_ahead is %v, want 1", n)
		}

		mustExec(t, s, "ALTER TABLE outbox RENAME COLUMN payload TO content")
		if _, err := s.Change(t.Context(), toggle("u", old.ID)); !errors.Is(err, task.ErrUnavailable) {
			t.Errorf("change: %v, want ErrUnavailable", err)
		}
		mustExec(t, s, "ALTER TABLE outbox RENAME COLUMN content TO payload")
		heal(t, s)
		checkWhole(t, s)
	})
}

// A column more that must have a value is no fault of the change.
func TestColumnThatMustHaveAValue(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		mustExec(t, s, "CREATE TABLE newer (a bigint, b text NOT NULL)")
		_, err := s.db.exec(t.Context(), "INSERT INTO newer (a) VALUES (1)")
		if err == nil || s.db.verdict(err) != unavailable {
			t.Errorf("%v has the verdict %d, want %d", err, s.db.verdict(err), unavailable)
		}
	})
}
