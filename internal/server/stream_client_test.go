package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start0 is the beginning of a log of three partitions.
func start0() Position { return Position{Log: "a", Offsets: []int64{0, 0, 0}} }

// change is a record that tells of the n-th change of a user's task.
func change(partition int32, offset int64, user string, n int) Record {
	return Record{Partition: partition, Offset: offset, Data: fmt.Appendf(nil,
		`{"event_type":"task.sync","user_id":%q,"data":{"task_id":%d,"action":"updated","fields_changed":["title"],"snapshot":{"id":%d}}}`, user, n, n)}
}

// openHub makes a hub that is open at the beginning of a log.
func openHub(o HubOptions) *Hub {
	h := NewHub(o)
	h.Begin(start0())
	h.Open(start0())
	return h
}

func publish(t testing.TB, h *Hub, records ...Record) {
	t.Helper()
	if err := h.Publish(records); err != nil {
		t.Fatal(err)
	}
}

// overLoopback serves an API with the hub until the test ends.
func overLoopback(t testing.TB, h *Hub) (url string) {
	t.Helper()
	srv := httptest.NewServer(newAPI(func(o *Options) { o.Hub = h }))
	t.Cleanup(srv.Close)
	t.Cleanup(h.Close)
	return srv.URL
}

// A block is what a stream has between two empty lines.
type block struct{ ID, Event, Data, Retry, Comment string }

// A client reads a stream.
type client struct {
	t     testing.TB
	body  io.Closer
	lines *bufio.Scanner
	id    string // of the last block that had one
}

// listen opens a stream; lastID may be empty.
func listen(t testing.TB, url, lastID string) *client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("stream: %s", resp.Status)
	}
	return newClient(t, resp.Body)
}

func newClient(t testing.TB, body io.ReadCloser) *client {
	c := &client{t: t, body: body, lines: bufio.NewScanner(body)}
	c.lines.Buffer(nil, 1<<20)
	return c
}

// joined reads up to the position that a stream begins with.
func (c *client) joined() *client {
	c.t.Helper()
	equal(c.t, c.block(), block{Retry: "1000"})
	if b := c.block(); b != (block{ID: b.ID}) || b.ID == "" {
		c.t.Fatalf("no position but %+v", b)
	}
	return c
}

// read returns the next block, false at the end of the stream.
func (c *client) read() (b block, ok bool) {
	for c.lines.Scan() {
		line := c.lines.Text()
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			b.ID, c.id = value, value
		case "event":
			b.Event = value
		case "data":
			b.Data += value
		case "retry":
			b.Retry = value
		case "":
			if line == "" {
				return b, true
			}
			b.Comment = line
		default:
			c.t.Errorf("a line %q", line)
		}
	}
	return b, false
}

func (c *client) block() block {
	c.t.Helper()
	b, ok := c.read()
	if !ok {
		c.t.Fatalf("the stream ended: %v", c.lines.Err())
	}
	return b
}

// event returns the next block that is an event.
func (c *client) event() block {
	c.t.Helper()
	for {
		if b := c.block(); b.Event != "" {
			return b
		}
	}
}

// events returns the ids of the tasks of the next n events.
func (c *client) events(n int) []int {
	c.t.Helper()
	var ids []int
	for range n {
		ids = append(ids, taskOf(c.t, c.event()))
	}
	return ids
}

// rest returns those until the stream ends.
func (c *client) rest() []int {
	c.t.Helper()
	var ids []int
	for {
		b, ok := c.read()
		if !ok {
			return ids
		}
		if b.Event != "" {
			ids = append(ids, taskOf(c.t, b))
		}
	}
}

func taskOf(t testing.TB, b block) int {
	t.Helper()
	var id int
	if _, err := fmt.Sscanf(b.Data, `{"id":%d,"action":"updated",`, &id); err != nil || b.Event != "task.sync" {
		t.Errorf("no change of a task: %+v", b)
	}
	return id
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// span is the numbers from a to b.
func span(a, b int) []int {
	var ns []int
	for n := a; n <= b; n++ {
		ns = append(ns, n)
	}
	return ns
}
