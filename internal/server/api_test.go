package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

// noon is the time in all of these tests.
var noon = time.Date(2026, 2, 17, 12, 0, 0, 123456000, time.UTC)

func at() time.Time { return noon }

// An api is an API over a memory, and what it logged.
type api struct {
	http.Handler
	store *memory
	log   *bytes.Buffer
}

// newAPI builds an API; edit may change its options before.
func newAPI(edit ...func(*Options)) *api {
	a := &api{store: newMemory(at), log: &bytes.Buffer{}}
	o := Options{
		Store: a.store, Version: "1.2.3", Now: at,
		Log: slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range edit {
		f(&o)
	}
	a.Handler = New(o)
	return a
}

// handle adds a GET route.
func (a *api) handle(path string, serve func(*response, *http.Request) error) {
	s := a.Handler.(*server)
	s.handle(s.everyone, route{"GET", path, serve})
}

// do sends a request with headers "Name: value" and holds the answer against
// what is true of all answers, openapi.json included.
func (a *api) do(t *testing.T, method, target, body string, headers ...string) reply {
	t.Helper()
	return a.serve(t, newRequest(t, method, target, body, headers...))
}

func newRequest(t *testing.T, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func (a *api) serve(t *testing.T, r *http.Request) reply {
	t.Helper()
	rec := httptest.NewRecorder()
	a.ServeHTTP(rec, r)
	got := reply{rec.Result(), rec.Body.String()}
	got.check(t)
	checkDocumented(t, r, got.StatusCode)
	return got
}

type reply struct {
	*http.Response
	body string
}

func (r reply) check(t *testing.T) {
	t.Helper()
	if r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("no nosniff: %v", r.Header)
	}
	if r.body != "" && !strings.HasSuffix(r.body, "\n") {
		t.Errorf("body doesn't end with a newline: %q", r.body)
	}
	if r.StatusCode < 400 || strings.HasPrefix(r.Header.Get("Content-Type"), "text/plain") && r.StatusCode == 503 {
		return // the plain one is /readyz
	}
	if got := r.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("%d has Content-Type %q", r.StatusCode, got)
	}
	if strings.ContainsAny(strings.TrimSuffix(r.detail(t), "\n"), "\n\r") || r.detail(t) == "" {
		t.Errorf("%d has detail %q, want one line", r.StatusCode, r.detail(t))
	}
}

// detail is the failure's text, or the health report's status.
func (r reply) detail(t *testing.T) string {
	t.Helper()
	var body struct{ Detail, Status string }
	r.decode(t, &body)
	return body.Detail + body.Status
}

func (r reply) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("decode %q: %v", r.body, err)
	}
}

func (r reply) task(t *testing.T) task.Task {
	t.Helper()
	var got task.Task
	r.decode(t, &got)
	return got
}

// want fails the test unless the answer has the status and its body contains the
// text.
func (r reply) want(t *testing.T, status int, text string) reply {
	t.Helper()
	if r.StatusCode != status || !strings.Contains(r.body, text) {
		t.Fatalf("got %d %s, want %d with %q", r.StatusCode, r.body, status, text)
	}
	return r
}

// wantHeaders compares headers given as "Name: value"; "Name: " is an absent one.
func (r reply) wantHeaders(t *testing.T, lines ...string) reply {
	t.Helper()
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if diff := cmp.Diff(value, r.Header.Get(name)); diff != "" {
			t.Errorf("header %s (-want +got):\n%s", name, diff)
		}
	}
	return r
}

// lines are the entries of the log so far.
func (a *api) lines() []string {
	text, _ := io.ReadAll(a.log)
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}
