//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	components "github.com/todoctl/todoctl/dapr-components"
	"github.com/todoctl/todoctl/internal/stack"
)

// An observer is a subscriber under a sidecar of its own, which remembers what it was
// given.
type observer struct {
	mu      sync.Mutex
	ids     map[string]change // of the events on task-events, by id
	first   []change          // in the order in which they came for the first time
	total   int
	letters map[string]string // the dead letters, by id
}

const observed = `apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: observed-events}
spec: {pubsubname: pubsub-%[1]s, topic: task-events, routes: {default: /events}}
---
apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata: {name: observed-letters}
spec: {pubsubname: pubsub-%[1]s, topic: reminders-dlq, routes: {default: /letters}}
`

func observe(t *testing.T, profile, addr string, environ []string) *observer {
	t.Helper()
	o := &observer{ids: map[string]change{}, letters: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /events", o.take)
	mux.HandleFunc("POST /letters", o.take)
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	own, err := fs.Sub(components.Files, "alternatives/"+profile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	subscriptions := fstest.MapFS{"observer.yaml": {Data: fmt.Appendf(nil, observed, profile)}}
	if _, err := stack.WriteResources(stack.ResourceOptions{Sources: []fs.FS{own, subscriptions}, Dir: dir, Redis: addr}); err != nil {
		t.Fatal(err)
	}
	sidecar, err := stack.StartSidecar(t.Context(), stack.SidecarOptions{
		Daprd: findDaprd(t), AppID: "observer", AppPort: app.Listener.Addr().(*net.TCPAddr).Port, ResourcesPath: []string{dir},
		Env: environ, Dir: t.TempDir(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sidecar.Stop(t.Context()) })
	s := &swap{}
	s.await(t, "the observer's subscriptions", func() bool {
		m, err := sidecar.Metadata(t.Context())
		return err == nil && len(m.Subscriptions) == 2
	})
	return o
}

func (o *observer) take(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var e struct {
		ID       string `json:"id"`
		Subject  string `json:"subject"`
		Sequence string `json:"sequence"`
	}
	if err != nil || json.Unmarshal(body, &e) != nil {
		fmt.Fprint(w, `{"status":"RETRY"}`)
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.URL.Path == "/letters" {
		o.letters[e.ID] = string(body)
		return
	}
	task, _ := strconv.ParseInt(strings.TrimPrefix(e.Subject, "tasks/"), 10, 64)
	sequence, _ := strconv.ParseInt(e.Sequence, 10, 64)
	o.total++
	if _, again := o.ids[e.ID]; !again {
		o.ids[e.ID] = change{task, sequence}
		o.first = append(o.first, change{task, sequence})
	}
}

func (o *observer) letter(id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.letters[id]
}

func (o *observer) deliveries() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.total
}

// lacks are the changes whose event hasn't come.
func (o *observer) lacks(done []change) []change {
	o.mu.Lock()
	defer o.mu.Unlock()
	came := map[change]bool{}
	for _, c := range o.first {
		came[c] = true
	}
	var lacks []change
	for _, c := range done {
		if !came[c] {
			lacks = append(lacks, c)
		}
	}
	return lacks
}

// inOrder holds the events of each of these tasks to their order.
func (o *observer) inOrder(t *testing.T, done []change) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	last := map[int64]int64{}
	for _, c := range done {
		last[c.task] = 0
	}
	for _, c := range o.first {
		before, ours := last[c.task]
		if ours && c.sequence <= before {
			t.Errorf("task %d: event %d came after %d", c.task, c.sequence, before)
		}
		last[c.task] = c.sequence
	}
}

// others is how many tasks there are that no client has made.
func (o *observer) others(done []change) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	clients, others := map[int64]bool{}, map[int64]bool{}
	for _, c := range done {
		clients[c.task] = true
	}
	for _, c := range o.first {
		if !clients[c.task] {
			others[c.task] = true
		}
	}
	return len(others)
}

// once holds the events to the changes: each has one, with one id, and there are no more
// but one for each of the next tasks.
func (o *observer) once(t *testing.T, done []change, next int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	wanted := map[change]bool{}
	for _, c := range done {
		wanted[c] = true
	}
	for id, c := range o.ids {
		if !wanted[c] {
			next--
			if c.sequence != 1 {
				t.Errorf("event %s, of task %d with sequence %d, is of no accepted change, or has two ids", id, c.task, c.sequence)
			}
		}
		delete(wanted, c)
	}
	if next != 0 || len(wanted) != 0 {
		t.Errorf("%d next tasks too few; no event of %v", next, wanted)
	}
}
