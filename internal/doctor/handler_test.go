package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// app runs a subscriber until the test ends and returns its port.
func app(t *testing.T, routes map[string]http.HandlerFunc) int {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", answer(http.StatusOK, "")) // what daprd probes
	for pattern, handler := range routes {
		mux.HandleFunc(pattern, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.Listener.Addr().(*net.TCPAddr).Port
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// arrives waits for a record on a topic.
func arrives(t *testing.T, o Options, topic string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("nothing arrives on %s", topic)
		}
		if fetches.NumRecords() > 0 {
			return
		}
	}
}

func publish(t *testing.T, o Options, topic string) {
	t.Helper()
	publishAt(t, o, topic, time.Now())
}

// publishAt writes an event with another timestamp.
func publishAt(t *testing.T, o Options, topic string, at time.Time) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	produce(t, client, topic, `{"specversion":"1.0","id":"1","type":"t","source":"s","data":{}}`, at)
}

// A real daprd delivers to an app of the test's own.
func TestHandlers(t *testing.T) {
	files := func(more string) map[string]string {
		return map[string]string{
			"a.yaml": kafkaFile("authType", "none", "initialOffset", "oldest", "consumerGroup", "g"),
			"s.yaml": strings.Replace(subscribed, "PUBSUB", pubsub, 1) + more,
		}
	}
	posts := map[string]http.HandlerFunc{"POST /events": answer(http.StatusOK, `{"status":"SUCCESS"}`)}
	t.Run("well", func(t *testing.T) {
		o, _ := sidecar(t, files(""), app(t, posts))
		expect(t, examine(t, o))
	})
	t.Run("19 no such route", func(t *testing.T) {
		port := app(t, map[string]http.HandlerFunc{"POST /elsewhere": answer(http.StatusOK, ""), "GET /healthz": answer(http.StatusOK, "")})
		o, _ := sidecar(t, files(""), port)
		r := examine(t, o)
		expect(t, r, "sidecar.route")
		if want := "POST /events"; !strings.Contains(r.Findings[0].Mend, want) {
			t.Errorf("mend %q lacks %q", r.Findings[0].Mend, want)
		}
	})
	t.Run("an app whose 404 says nothing", func(t *testing.T) {
		port := app(t, map[string]http.HandlerFunc{
			"POST /events": answer(http.StatusOK, ""), "GET /healthz": answer(http.StatusOK, ""), "OPTIONS /": answer(http.StatusNotFound, ""),
		})
		o, _ := sidecar(t, files(""), port)
		r := examine(t, o)
		expect(t, r)
		want := NotChecked{Check: "sidecar.route", Reason: "the app answers 404 to OPTIONS also where it has a route"}
		if !slices.Contains(r.NotChecked, want) {
			t.Errorf("not checked: %v", r.NotChecked)
		}
	})
	t.Run("18 an answer that Dapr doesn't know", func(t *testing.T) {
		again := strings.NewReplacer("maxRetries: -1", "maxRetries: 1", "duration: 1s", "duration: 10ms").Replace(resilient)
		all := files("  deadLetterTopic: task-events-dlq\n")
		all["r.yaml"] = again
		o, _ := sidecar(t, all, app(t, map[string]http.HandlerFunc{"POST /events": answer(http.StatusOK, `{"status":"processed"}`)}))
		publish(t, o, "task-events")
		arrives(t, o, "task-events-dlq")
		r := examine(t, o)
		expect(t, r, "events.dead-letters")
		if !strings.Contains(r.Findings[0].Mend, "SUCCESS, RETRY or DROP") {
			t.Error(r.Findings[0].Mend)
		}
	})
	for name, handler := range map[string]http.HandlerFunc{
		"18 an unknown status without a dead letter topic": answer(http.StatusOK, `{"status":"processed"}`),
		"18 a handler that fails each time":                answer(http.StatusInternalServerError, ""),
	} {
		t.Run(name, func(t *testing.T) {
			called := make(chan struct{})
			var once sync.Once
			o, _ := sidecar(t, files(""), app(t, map[string]http.HandlerFunc{"POST /events": func(w http.ResponseWriter, r *http.Request) {
				once.Do(func() { close(called) })
				handler(w, r)
			}}))
			publishAt(t, o, "task-events", time.Now().Add(-5*time.Minute))
			<-called
			r := examine(t, o)
			expect(t, r, "events.stuck")
			if want := (Fact{"at", "task-events[0]@0"}); !slices.Contains(r.Findings[0].Evidence, want) {
				t.Errorf("evidence %v lacks %v", r.Findings[0].Evidence, want)
			}
		})
	}
	t.Run("an old event that is taken", func(t *testing.T) {
		o, _ := sidecar(t, files("  deadLetterTopic: task-events-dlq\n"), app(t, map[string]http.HandlerFunc{"POST /events": answer(http.StatusOK, `{"status":"DROP"}`)}))
		publishAt(t, o, "task-events", time.Now().Add(-5*time.Minute))
		arrives(t, o, "task-events-dlq")
		r := examine(t, o, "events.stuck")
		expect(t, r)
	})
}
