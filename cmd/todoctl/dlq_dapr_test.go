//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

const deadLetterResources = `apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: pubsub-kafka
spec:
  type: pubsub.kafka
  version: v1
  metadata:
    - {name: brokers, value: %q}
    - {name: authType, value: none}
    - {name: initialOffset, value: oldest}
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata:
  name: task-events
spec:
  pubsubname: pubsub-kafka
  topic: task-events
  routes: {default: /events}
  deadLetterTopic: task-events-dlq
`

// daprApp drops each event that it gets, which makes Dapr write a dead letter, and
// hands its body on.
func daprApp(t *testing.T, bodies chan<- []byte) int {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/events", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a short body fails the test below
		bodies <- body
		fmt.Fprint(w, `{"status":"DROP"}`)
	})
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	return app.Listener.Addr().(*net.TCPAddr).Port
}

// What is known of Dapr's dead letters holds for a real daprd: its own copies say where
// they were and keep the key, also those that it can't decode; after a redrive they say
// where they are then; and a Cause that is published through it comes back.
func TestDeadLettersOfDapr(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "task-events", "task-events-dlq"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	resources, bodies := t.TempDir(), make(chan []byte, 100)
	if err := os.WriteFile(filepath.Join(resources, "all.yaml"), fmt.Appendf(nil, deadLetterResources, broker.ListenAddrs()[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	sidecar, err := stack.StartSidecar(t.Context(), stack.SidecarOptions{
		Daprd: findDaprd(t), AppID: "worker", AppPort: daprApp(t, bodies), ResourcesPath: []string{resources},
		Env: os.Environ(), Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sidecar.Stop(t.Context()) }()

	client, err := kafka.NewClient(kafka.Options{Brokers: broker.ListenAddrs()}, kafka.KeepPartitions())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	event := `{"specversion":"1.0","id":"e1","source":"s","type":"task.created","datacontenttype":"application/json","data":{"n":1}}`
	if err := kafka.Produce(t.Context(), client, []*kgo.Record{
		{Topic: "task-events", Partition: 2, Value: []byte("{")},
		{Topic: "task-events", Partition: 2, Key: []byte("k"), Value: []byte(event)},
	}); err != nil {
		t.Fatal(err)
	}
	got := awaitLetters(t, broker.ListenAddrs(), 2)
	equalLetters(t, got, []string{
		"not a CloudEvent from task-events[2]@0 key  redriven 0",
		"unknown (Dapr's own copy) from task-events[2]@1 key k redriven 0",
	})
	if out, err := exec.Command("todoctl", "dlq", "redrive", "--id", "e1", "--yes", "--brokers", broker.ListenAddrs()[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got = awaitLetters(t, broker.ListenAddrs(), 3)
	equalLetters(t, got[2:], []string{"unknown (Dapr's own copy) from task-events[2]@2 key k redriven 1"})

	<-bodies
	worker := dlq.Cause{Reason: "invalid", Attempts: 5, Consumer: "worker", Origin: dlq.Place{Topic: "task-events", Partition: 2, Offset: 2}}
	publishCause(t, "http://"+sidecar.API().Addr, worker, <-bodies)
	got = awaitLetters(t, broker.ListenAddrs(), 4)
	equalLetters(t, got[3:], []string{"invalid from task-events[2]@2 key k redriven 1"})
}

// publishCause does what a worker does with an event that it gives up.
func publishCause(t *testing.T, api string, c dlq.Cause, event []byte) {
	t.Helper()
	value, err := c.Attach(event)
	if err != nil {
		t.Fatalf("%v: %s", err, event)
	}
	target := api + "/v1.0/publish/pubsub-kafka/task-events-dlq?" + url.Values{"metadata.partitionKey": {"k"}}.Encode()
	resp, err := http.Post(target, "application/cloudevents+json", bytes.NewReader(value))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		t.Fatal(resp.Status)
	}
}

// awaitLetters reads n dead letters, as they come.
func awaitLetters(t *testing.T, brokers []string, n int64) []dlq.Letter {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var letters []dlq.Letter
	err := kafka.Tail(ctx, kafka.Options{Brokers: brokers}, kafka.TailOptions{Topics: []string{"task-events-dlq"}, Num: n}, func(records []*kgo.Record) error {
		for _, r := range records {
			letters = append(letters, dlq.Parse(r))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return letters
}

func equalLetters(t *testing.T, got []dlq.Letter, want []string) {
	t.Helper()
	var said []string
	for _, l := range got {
		said = append(said, strings.Join([]string{l.Reason, "from", l.Origin.String(), "key", string(l.Record.Key), "redriven", strconv.Itoa(l.Redrives)}, " "))
	}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}
