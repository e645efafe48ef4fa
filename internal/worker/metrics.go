package worker

import (
	"cmp"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	handled *prometheus.CounterVec
	refused prometheus.Counter
	delay   prometheus.Histogram
}

func newMetrics(registerer prometheus.Registerer) metrics {
	factory := promauto.With(registerer)
	return metrics{
		handled: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "todo_worker_handled_total",
			Help: "Events and attempts to notify of them by what became of them, repetitions included.",
		}, []string{"type", "result"}),
		refused: factory.NewCounter(prometheus.CounterOpts{
			Name: "todo_worker_refused_total",
			Help: "Requests without the token of the sidecar.",
		}),
		delay: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "todo_reminder_delivery_delay_seconds",
			Help:    "Time from remind_at until a channel had the notification.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400},
		}),
	}
}

func (m metrics) count(kind, result string) {
	m.handled.WithLabelValues(cmp.Or(kind, "other"), result).Inc()
}
