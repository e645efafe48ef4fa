package worker

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxBody bounds what is read of a delivery, in bytes: an event has 256 KiB at
	// most, a Kafka message 1 MiB by default.
	maxBody = 4 << 20

	// maxBulk bounds what is read of many: those of dapr-components/subscriptions.yaml
	// at Kafka's limit, encoded once more.
	maxBulk = 512 << 20

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
	mux.Handle("POST /events/{topic}", w.guarded(w.receive))
	mux.Handle("POST /", w.guarded(func(r *http.Request) any {
		w.log.Error("an event was sent to a path that has no consumer: it waits", "path", r.URL.Path)
		return answer{Status: retry}
	}))
	return mux
}

// An answer is what Dapr is told of one delivery; EntryID tells it within many.
type answer struct {
	EntryID string `json:"entryId,omitempty"`
	Status  status `json:"status"`
}

// guarded lets in who shows the token and answers in JSON.
func (w *Worker) guarded(serve func(*http.Request) any) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("dapr-api-token")), []byte(w.o.Token)) != 1 && w.o.Token != "" {
			w.metrics.refused.Inc()
			http.Error(rw, "the header dapr-api-token isn't APP_API_TOKEN", http.StatusUnauthorized) // Dapr tries again
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(serve(r)) // who has gone asks again
	})
}

// receive takes one event or many.
func (w *Worker) receive(r *http.Request) any {
	ctx, cancel := context.WithTimeout(r.Context(), handleTimeout)
	defer cancel()
	topic := r.PathValue("topic")
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBulk))
	if err != nil {
		w.log.Error("events can't be read: they wait", "topic", topic, "err", err)
		return answer{Status: retry}
	}
	if many, ok := parseBulk(r.Header.Get("Content-Type"), body); ok {
		return w.receiveMany(ctx, topic, many)
	}
	from := originOf(topic, r.Header.Get)
	e, err := parseEvent(from, body)
	if len(body) > maxBody {
		err = fmt.Errorf("has %d bytes", len(body))
	}
	if err != nil {
		w.log.Error("event can't be decoded: Dapr puts it into the dead letter topic", append(from.attrs(), "err", err)...)
		w.metrics.count("", resultDropped)
		return answer{Status: drop}
	}
	return answer{Status: w.take(ctx, e)}
}

// take handles an event and counts what became of it.
func (w *Worker) take(ctx context.Context, e event) status {
	status, result := w.handle(ctx, e)
	w.metrics.count(e.kind, result)
	return status
}

// attrs are the origin in a log line.
func (o origin) attrs() []any {
	return []any{"topic", o.Topic, "partition", o.Partition, "offset", o.Offset}
}
