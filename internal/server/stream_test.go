package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

func TestStreamShowsTheChangesOfItsUser(t *testing.T) {
	h := openHub(HubOptions{Metrics: prometheus.NewRegistry()})
	url := overLoopback(t, h)
	one := listen(t, url+"/api/u1/tasks/stream", "").joined()
	two := listen(t, url+"/api/tasks/tasks/stream", "").joined() // of a user called tasks
	publish(t, h, change(0, 0, "u1", 1), change(2, 0, "tasks", 2), Record{Partition: 1, Offset: 4}, change(1, 5, "u1", 3))
	equal(t, one.event(), block{ID: "a-1.0.0", Event: "task.sync", Data: `{"id":1,"action":"updated","fields_changed":["title"],"task":{"id":1}}`})
	equal(t, one.event(), block{ID: "a-1.6.1", Event: "task.sync", Data: `{"id":3,"action":"updated","fields_changed":["title"],"task":{"id":3}}`})
	equal(t, two.events(1), []int{2})
	equal(t, h.measured(t), map[string]float64{
		"todo_stream_clients": 2, "todo_stream_events_total": 3,
		"todo_stream_cut_total slow": 0, "todo_stream_cut_total stalled": 0, "todo_stream_cut_total stopped": 0,
	})
}

func TestStreamHeaders(t *testing.T) {
	a := newAPI(func(o *Options) { o.Hub = openHub(HubOptions{}) })
	a.do(t, "HEAD", "/api/tasks/stream", "", "X-User-ID: u1", "Origin: http://localhost:3001").want(t, 200, "").wantHeaders(t,
		"Content-Type: text/event-stream", "Cache-Control: no-store", "X-Accel-Buffering: no",
		"Access-Control-Allow-Origin: http://localhost:3001")
	a.do(t, "GET", "/api/tasks/stream", "").want(t, 401, "no user given")
	a.do(t, "PUT", "/api/tasks/stream", "{}", "X-User-ID: u1").want(t, 405, "only GET, HEAD, OPTIONS")
	newAPI().do(t, "GET", "/api/u1/tasks/stream", "").want(t, 404, "read from Kafka")
}

func TestStreamsAreBounded(t *testing.T) {
	h := openHub(HubOptions{MaxStreams: 3, MaxPerUser: 2})
	url := overLoopback(t, h)
	a := newAPI(func(o *Options) { o.Hub = h })
	first := listen(t, url+"/api/u1/tasks/stream", "").joined()
	listen(t, url+"/api/u1/tasks/stream", "").joined()
	a.do(t, "GET", "/api/u1/tasks/stream", "").want(t, 429, "the user has 2 streams open").wantHeaders(t, "Retry-After: 5")
	listen(t, url+"/api/u2/tasks/stream", "").joined()
	a.do(t, "GET", "/api/u3/tasks/stream", "").want(t, 503, "3 streams are open").wantHeaders(t, "Retry-After: 1")

	first.body.Close()
	until(t, func() bool { return h.count() == 2 }) // the server sees the end of the connection
	listen(t, url+"/api/u1/tasks/stream", "").joined()
	h.Close()
	a.do(t, "GET", "/api/u3/tasks/stream", "").want(t, 503, "the API is stopping")
}

// measured are the values of the metrics of a hub that was made with a registry.
func (h *Hub) measured(t testing.TB) map[string]float64 {
	t.Helper()
	families, err := h.o.Metrics.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return values
}

// until waits for a condition.
func until(t testing.TB, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited 30 s")
		}
	}
}

func (h *Hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.streams
}

// A stream lives on past all timeouts of the server, and says so.
func TestStreamOutlivesTheTimeouts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHub(HubOptions{})
		s := start(t, newAPI(func(o *Options) { o.Hub = h }), ServeOptions{})
		c := s.stream(t, "").joined()
		began := time.Now()
		for i := range 20 {
			publish(t, h, change(0, int64(i), "u2", 1))
			equal(t, c.block(), block{Comment: ":", ID: fmt.Sprintf("a-%d.0.0", i+1)})
			equal(t, time.Since(began), time.Duration(i+1)*heartbeat)
		}
		publish(t, h, change(1, 0, "u1", 7))
		equal(t, c.events(1), []int{7})
		h.Close()
		equal(t, c.rest(), []int(nil))
		s.stop()
		if err := <-s.result; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// stream sends a GET for u1's stream over a pipe.
func (s *served) stream(t *testing.T, lastID string) *client {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(s.connect(t, lastID)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, resp.Body)
}

func (s *served) connect(t *testing.T, lastID string) net.Conn {
	t.Helper()
	conn, err := s.dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "GET /api/u1/tasks/stream HTTP/1.1\r\nHost: a\r\nLast-Event-ID: %s\r\n\r\n", lastID); err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestStreamCutsAClientThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHub(HubOptions{Metrics: prometheus.NewRegistry()})
		s := start(t, newAPI(func(o *Options) { o.Hub = h }), ServeOptions{})
		conn := s.connect(t, "") // who reads nothing: a pipe holds nothing back
		began := time.Now()
		synctest.Wait()
		until(t, func() bool { return h.count() == 0 })
		if took := time.Since(began); took > 2*streamWrite {
			t.Errorf("its goroutine lived for %s", took)
		}
		equal(t, h.measured(t)["todo_stream_cut_total stalled"], 1.0)
		conn.Close()
		s.stop()
		if err := <-s.result; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// While the log can't be read, a stream waits; what it has missed nobody knows.
func TestStreamWaitsForTheHub(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHub(HubOptions{})
		s := start(t, newAPI(func(o *Options) { o.Hub = h }), ServeOptions{})
		c := s.stream(t, "")
		if !isClosed(h.Wanted()) {
			t.Error("nobody wants the hub")
		}
		equal(t, c.block(), block{Retry: "1000"})
		for range 3 {
			equal(t, c.block(), block{Comment: ":"})
		}
		h.Begin(start0())
		publish(t, h, change(0, 0, "u1", 1))
		h.Open(Position{Log: "a", Offsets: []int64{2, 0, 0}})
		equal(t, c.block(), block{ID: "a-2.0.0", Event: "reset", Data: `{"reason":"no live updates could be read for a while"}`})
		publish(t, h, change(0, 2, "u1", 2))
		equal(t, c.events(1), []int{2})

		late := s.stream(t, "a-0.0.0") // one with a position only waits
		equal(t, late.events(2), []int{1, 2})
		h.Close()
		s.stop()
		if err := <-s.result; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

func TestStreamIsResetWithTheLog(t *testing.T) {
	h := openHub(HubOptions{})
	c := listen(t, overLoopback(t, h)+"/api/u1/tasks/stream", "").joined()
	publish(t, h, change(0, 0, "u1", 1))
	equal(t, c.events(1), []int{1})
	if err := h.Publish([]Record{change(0, 0, "u1", 1)}); !errors.Is(err, ErrOutOfStep) {
		t.Errorf("a record that was read: %v", err)
	}
	anew := Position{Log: "b", Offsets: []int64{0}}
	h.Begin(anew)
	publish(t, h, change(0, 0, "u1", 2)) // from before the end: not for those who follow
	h.Open(Position{Log: "b", Offsets: []int64{1}})
	equal(t, c.event(), block{ID: "b-1", Event: "reset", Data: `{"reason":"the log of updates isn't what it was"}`})
	publish(t, h, change(0, 1, "u1", 3))
	equal(t, c.events(1), []int{3})
}

// A client that takes less than comes is cut off; it isn't waited for, the others
// notice nothing, and when it comes back it gets all the rest.
func TestStreamCutsASlowClient(t *testing.T) {
	h := openHub(HubOptions{Backlog: 64 << 10, Remembered: 64 << 20, Metrics: prometheus.NewRegistry()})
	url := overLoopback(t, h) + "/api/u1/tasks/stream"
	quick, slow := listen(t, url, "").joined(), listen(t, url, "").joined()
	sent := 0
	filler := `"x":"` + strings.Repeat("x", 16<<10) + `"`
	for h.measured(t)["todo_stream_cut_total slow"] == 0 {
		r := change(int32(sent%3), int64(sent/3), "u1", sent+1)
		r.Data = []byte(strings.Replace(string(r.Data), `"snapshot":{`, `"snapshot":{`+filler+",", 1))
		publish(t, h, r)
		sent++
		equal(t, quick.events(1), []int{sent})
		if sent > 5000 {
			t.Fatal("a client that reads nothing isn't cut off")
		}
	}
	got := slow.rest()
	equal(t, got, span(1, len(got)))
	if len(got) == sent {
		t.Error("it had all when it was cut off")
	}
	equal(t, append(got, listen(t, url, slow.id).events(sent-len(got))...), span(1, sent))
}

// Streams don't hold up the end of the server.
func TestStreamsEndWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHub(HubOptions{Metrics: prometheus.NewRegistry()})
		ctx, stop := context.WithCancel(t.Context())
		p := newPipes()
		s := &served{p, stop, make(chan error, 1)}
		go func() {
			defer context.AfterFunc(ctx, h.Close)()
			s.result <- Serve(ctx, p, newAPI(func(o *Options) { o.Hub = h }), ServeOptions{})
		}()
		c := s.stream(t, "").joined()
		began := time.Now()
		stop()
		equal(t, c.rest(), []int(nil))
		if err := <-s.result; err != nil || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		equal(t, h.measured(t)["todo_stream_cut_total stopped"], 1.0)
	})
}
