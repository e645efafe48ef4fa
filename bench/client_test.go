package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// startAPI answers like the task API, the third request with an error.
func startAPI(t *testing.T) string {
	t.Helper()
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil || string(got) != body || r.Method != "POST" || r.URL.Path != "/api/u1/tasks" {
			t.Errorf("%s %s with %q, %v", r.Method, r.URL, got, err)
		}
		n := asked.Add(1)
		if n == 3 {
			http.Error(w, "busy", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"id":%d,"title":"Buy groceries for the week"}`, n)
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// One connection, several requests: a refusal doesn't spoil it.
func TestClientReadsAnswerAfterAnswer(t *testing.T) {
	c, err := dial(t.Context(), startAPI(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	var got []string
	for range 4 {
		id, err := c.post()
		if refused := new(refusal); err != nil && !errors.As(err, &refused) {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(id, err != nil))
	}
	if diff := cmp.Diff([]string{"1 false", "2 false", "0 true", "4 false"}, got); diff != "" {
		t.Error(diff)
	}
}

// An answer may come a byte at a time, and names are written in any case.
func TestAnswerInPieces(t *testing.T) {
	text := "HTTP/1.1 201 Created\r\nserver: uvicorn\r\ncontent-length: 10\r\n\r\n{\"id\":123}"
	c := &client{conn: pieces{from: iotest.OneByteReader(strings.NewReader(text))}, buffer: make([]byte, 1<<10)}
	id, err := c.post()
	if id != 123 || err != nil {
		t.Errorf("task %d, %v, want 123", id, err)
	}
}

func TestBadAnswers(t *testing.T) {
	for name, text := range map[string]string{
		"no HTTP":       "SSH-2.0-OpenSSH\r\n\r\n",
		"no length":     "HTTP/1.1 201 Created\r\n\r\n",
		"bad length":    "HTTP/1.1 201 Created\r\nContent-Length: many\r\n\r\n",
		"no id":         "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
		"cut off":       "HTTP/1.1 201 Created\r\nContent-Length: 20\r\n\r\n{\"id\":1",
		"without end":   "HTTP/1.1 201 Created\r\nX: " + strings.Repeat("x", 4<<10),
		"other status":  "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
		"empty":         "",
		"longer buffer": "HTTP/1.1 201 Created\r\nContent-Length: 4096\r\n\r\n" + strings.Repeat(" ", 4096),
	} {
		t.Run(name, func(t *testing.T) {
			c := &client{conn: pieces{from: strings.NewReader(text)}, buffer: make([]byte, 1<<10)}
			if id, err := c.post(); err == nil {
				t.Errorf("task %d, want an error", id)
			}
		})
	}
}

// A paced load asks as often as it is to, no matter how long an answer takes, and
// counts what came in time.
func TestPacedLoad(t *testing.T) {
	l := load{addr: startAPI(t), clients: 2, warm: 50 * time.Millisecond, length: 200 * time.Millisecond, rate: 200}
	begin := time.Now().Add(l.warm)
	workers, err := l.run(t.Context(), begin)
	if err != nil {
		t.Fatal(err)
	}
	got := l.sum(workers, begin)
	if got.All != 49 || got.Failures != 1 || got.Answers > 40 {
		t.Errorf("%+v, want 50 requests, one refused, 40 at most in the time that counts", got)
	}
}

func TestLoadIsHandedToItsProcess(t *testing.T) {
	want := load{addr: "127.0.0.1:8001", clients: 64, warm: time.Second, length: 8 * time.Second, rate: 12.5, broker: "127.0.0.1:19092"}
	var got load
	if err := got.flags().Parse(want.args()[1:]); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// pieces is a connection of which only the reading counts.
type pieces struct {
	net.Conn
	from io.Reader
}

func (p pieces) Read(b []byte) (int, error)  { return p.from.Read(b) }
func (p pieces) Write(b []byte) (int, error) { return len(b), nil }
func (pieces) SetDeadline(time.Time) error   { return nil }
