package store

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// calm is how long nothing must have failed before a success counts as recovery:
// failures and successes in turn are one fault, with one line in the log.
const calm = time.Second

// A health tells log and metric when reading or writing begins to fail, and the log
// when it works again.
type health struct {
	operation string // read or write
	log       *slog.Logger
	failures  prometheus.Counter

	mu          sync.Mutex
	since, last time.Time // the first and the last failure; zero while all is well
	well        time.Time // when the last fault was over
}

// report takes note of how an attempt went. One that began before a fault was over
// and fails after it is part of that fault.
func (h *health) report(began time.Time, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if err != nil {
		h.failures.Inc()
		h.last = now
	}
	switch failing := !h.since.IsZero(); {
	case err != nil && !failing && began.After(h.well):
		h.since = now
		h.log.Error("database unavailable", "operation", h.operation, "err", err)
	case err == nil && failing && now.Sub(h.last) >= calm:
		h.log.Info("database available again", "operation", h.operation, "away", now.Sub(h.since))
		h.since, h.well = time.Time{}, now
	}
}

// metrics are the store's; a nil registerer means none.
type metrics struct {
	failures    *prometheus.CounterVec
	schemaAhead prometheus.Gauge
}

func newMetrics(registerer prometheus.Registerer) metrics {
	factory := promauto.With(registerer)
	return metrics{
		failures: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "todo_store_failures_total",
			Help: "Transactions and queries that the database couldn't take: it is away, read-only, full, too slow or of another schema.",
		}, []string{"operation"}),
		schemaAhead: factory.NewGauge(prometheus.GaugeOpts{
			Name: "todo_store_schema_ahead",
			Help: "Migrations of the database that this todoctl doesn't know, as of the last readiness check.",
		}),
	}
}

func (m metrics) health(operation string, log *slog.Logger) *health {
	return &health{operation: operation, log: log, failures: m.failures.WithLabelValues(operation)}
}

// read runs the queries of a request and keeps account of failures.
func (s *Store) read(ctx context.Context, what string, queries ...query) error {
	began := time.Now()
	err := s.db.read(ctx, queries...)
	if !errors.Is(ctx.Err(), context.Canceled) { // else it was the client that gave up
		s.reads.report(began, err)
	}
	return readError(what, err)
}

// Ping reports whether the database answers. It tells the log when a newer todoctl
// has migrated it meanwhile: a replica that runs goes on for as long as what it
// writes fits, so that replicas can be replaced one by one.
func (s *Store) Ping(ctx context.Context) error {
	var version int
	err := s.read(ctx, "ping", query{sql: currentVersion, row: func(scan scanner) error { return scan(&version) }})
	if err != nil {
		return err
	}
	ahead := max(version-s.known, 0)
	s.metrics.schemaAhead.Set(float64(ahead))
	if before := s.ahead.Swap(int64(ahead)); ahead > 0 && before != int64(ahead) {
		s.log.Warn("database migrated by a newer todoctl, replace this one", "version", version, "known", s.known)
	}
	return nil
}
