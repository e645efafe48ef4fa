package server

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	durations *prometheus.HistogramVec
}

// newMetrics registers the metrics, or takes those that an API on the same
// registry registered before.
func newMetrics(reg *prometheus.Registry) *metrics {
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "http_request_duration_seconds",
		Help:    "How long requests took, by pattern of the path, method and status.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route", "method", "status"})
	err := reg.Register(durations)
	if known, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return &metrics{durations: known.ExistingCollector.(*prometheus.HistogramVec)}
	}
	if err != nil {
		panic(err)
	}
	return &metrics{durations: durations}
}

func (m *metrics) observe(w *response, r *http.Request, took time.Duration) {
	m.durations.WithLabelValues(w.route, methodLabel(r.Method), strconv.Itoa(w.status)).Observe(took.Seconds())
}

// methodLabel keeps the number of time series bounded whatever clients send.
func methodLabel(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}
