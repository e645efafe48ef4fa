package server

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// The values of the label reason.
const (
	cutSlow    = "slow"    // more came than the client took
	cutStalled = "stalled" // a write wasn't taken in time
	cutStopped = "stopped" // the server is stopping
)

type streamMetrics struct {
	streams prometheus.Gauge
	events  prometheus.Counter
	cut     *prometheus.CounterVec
}

// newStreamMetrics registers the metrics of a hub; a nil registerer means none.
func newStreamMetrics(registerer prometheus.Registerer) *streamMetrics {
	factory := promauto.With(registerer)
	m := &streamMetrics{
		streams: factory.NewGauge(prometheus.GaugeOpts{
			Name: "todo_stream_clients",
			Help: "Streams of live updates that are open.",
		}),
		events: factory.NewCounter(prometheus.CounterOpts{
			Name: "todo_stream_events_total",
			Help: "Events written to streams, resets included.",
		}),
		cut: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "todo_stream_cut_total",
			Help: "Streams that this side ended, by reason.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{cutSlow, cutStalled, cutStopped} {
		m.cut.WithLabelValues(reason)
	}
	return m
}
