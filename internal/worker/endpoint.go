package worker

import (
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"time"
)

const (
	// maxBody bounds what is read of a delivery, in bytes: an event has 256 KiB at
	// most, a Kafka message 1 MiB by default.
	maxBody = 4 << 20

	// handleTimeout ends before the 30 s that dapr-components/resiliency.yaml gives a
	// delivery: an answer that comes later is none.
	handleTimeout = 25 * time.Second
)

// A status is what Dapr is told of a delivery. Any other answer than these would be
// guessed at, and 404 makes Dapr drop the event.
// Source: https://docs.dapr.io/reference/api/pubsub_api/#expected-http-response
type status string

const (
	success status = "SUCCESS"
	retry   status = "RETRY"
	drop    status = "DROP" // to the dead letter topic of the subscription, as it is
)

// Handler answers Dapr's deliveries, POST /events/TOPIC, and its health checks,
// GET /livez.
func (w *Worker) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusNoContent) })
	mux.Handle("POST /events/{topic}", w.guarded(w.deliver))
	mux.Handle("POST /", w.guarded(func(r *http.Request) status {
		w.log.Error("an event was sent to a path that has no consumer: it waits", "path", r.URL.Path)
		return retry
	}))
	return mux
}

// guarded lets in who shows the token and answers with a status.
func (w *Worker) guarded(serve func(*http.Request) status) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("dapr-api-token")), []byte(w.o.Token)) != 1 && w.o.Token != "" {
			w.metrics.refused.Inc()
			http.Error(rw, "the header dapr-api-token isn't APP_API_TOKEN", http.StatusUnauthorized) // Dapr tries again
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"status":"`+string(serve(r))+`"}`) // who has gone asks again
	})
}

func (w *Worker) deliver(r *http.Request) status {
	ctx, cancel := context.WithTimeout(r.Context(), handleTimeout)
	defer cancel()
	from := originOf(r.PathValue("topic"), r.Header)
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil && !errors.As(err, new(*http.MaxBytesError)) {
		return retry
	}
	e, parseErr := parseEvent(from, body)
	if err = errors.Join(err, parseErr); err != nil {
		w.log.Error("event can't be decoded: Dapr puts it into the dead letter topic", append(from.attrs(), "err", err)...)
		w.metrics.count("", resultDropped)
		return drop
	}
	answer, result := w.handle(ctx, e)
	w.metrics.count(e.kind, result)
	return answer
}

// attrs are the origin in a log line.
func (o origin) attrs() []any {
	return []any{"topic", o.topic, "partition", o.partition, "offset", o.offset}
}
