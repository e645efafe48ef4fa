package publish

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/todoctl/todoctl/internal/task"
)

// The values of the label error_type.
const (
	failOutage  = "outage"        // of the sidecar or the broker
	failRefused = "refused"       // the message
	failTopic   = "topic_refused" // every message of the topic
)

type metrics struct {
	published *prometheus.CounterVec
	failures  *prometheus.CounterVec
	delay     prometheus.Histogram
	leader    prometheus.Gauge
}

// newMetrics registers the relay's metrics; a nil registerer means none. It
// panics when they are registered already.
func newMetrics(registerer prometheus.Registerer, backlog func(context.Context) (task.Backlog, error), now func() time.Time) *metrics {
	factory := promauto.With(registerer)
	m := &metrics{
		published: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "todo_outbox_published_total",
			Help: "Events that the broker acknowledged, repetitions included.",
		}, []string{"topic"}),
		failures: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "todo_outbox_publish_failures_total",
			Help: "Attempts to publish an event that failed.",
		}, []string{"error_type"}),
		delay: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "todo_outbox_publish_delay_seconds",
			Help:    "Time from the change to the broker's acknowledgement of its event.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200},
		}),
		leader: factory.NewGauge(prometheus.GaugeOpts{
			Name: "todo_relay_leader",
			Help: "1 while this process relays the outbox, else 0.",
		}),
	}
	for _, kind := range []string{failOutage, failRefused, failTopic} {
		m.failures.WithLabelValues(kind)
	}
	if registerer != nil {
		registerer.MustRegister(newBacklogCollector(backlog, now))
	}
	return m
}

// failureKind is the label error_type of an error of a Publisher.
func failureKind(err error) string {
	switch {
	case errors.Is(err, ErrTopicRefused):
		return failTopic
	case errors.Is(err, ErrRefused):
		return failRefused
	default:
		return failOutage
	}
}

// backlogCollector asks the outbox when it is scraped, at most once a second and
// never for longer than two. With the outbox away it has no values, rather than
// old ones.
type backlogCollector struct {
	backlog              func(context.Context) (task.Backlog, error)
	now                  func() time.Time
	pending, age, parked *prometheus.Desc

	mu    sync.Mutex
	asked time.Time
	last  task.Backlog
	err   error
}

func newBacklogCollector(backlog func(context.Context) (task.Backlog, error), now func() time.Time) *backlogCollector {
	return &backlogCollector{
		backlog: backlog,
		now:     now,
		pending: prometheus.NewDesc("todo_outbox_pending", "Events that wait to be published, parked ones not counted.", nil, nil),
		age:     prometheus.NewDesc("todo_outbox_oldest_pending_age_seconds", "Age of the oldest event that waits, 0 when none does.", nil, nil),
		parked:  prometheus.NewDesc("todo_outbox_parked", "Events that were given up on until an operator says otherwise.", nil, nil),
	}
}

// Describe implements prometheus.Collector.
func (c *backlogCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.pending
	out <- c.age
	out <- c.parked
}

// Collect implements prometheus.Collector.
func (c *backlogCollector) Collect(out chan<- prometheus.Metric) {
	b, err := c.ask()
	if err != nil {
		return
	}
	age := 0.0
	if !b.Oldest.IsZero() {
		age = max(0, c.now().Sub(b.Oldest).Seconds())
	}
	out <- prometheus.MustNewConstMetric(c.pending, prometheus.GaugeValue, float64(b.Pending))
	out <- prometheus.MustNewConstMetric(c.age, prometheus.GaugeValue, age)
	out <- prometheus.MustNewConstMetric(c.parked, prometheus.GaugeValue, float64(b.Parked))
}

func (c *backlogCollector) ask() (task.Backlog, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.asked.IsZero() && time.Since(c.asked) < time.Second {
		return c.last, c.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) //nolint:forbidigo // a collector is given no context
	defer cancel()
	c.last, c.err = c.backlog(ctx)
	c.asked = time.Now()
	return c.last, c.err
}
