package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// A broken is a Store whose every call does the same.
type broken func(context.Context) error

func (b broken) Change(ctx context.Context, _ task.Change) (task.Result, error) {
	return task.Result{}, b(ctx)
}

func (b broken) Task(ctx context.Context, _ string, _ int64) (task.Task, error) {
	return task.Task{}, b(ctx)
}

func (b broken) Tasks(ctx context.Context, _ string, _ task.Query) (task.Page, error) {
	return task.Page{}, b(ctx)
}

func withStore(b broken) func(*Options) { return func(o *Options) { o.Store = b } }

func TestPanicBecomesA500(t *testing.T) {
	a := newAPI(withStore(func(context.Context) error { panic("secret of the handler") }))
	got := a.do(t, "GET", "/api/u1/tasks/1", "").want(t, 500, `{"detail":"internal error; the log of the API has the cause"}`)
	if strings.Contains(got.body, "secret") {
		t.Errorf("the client reads %s", got.body)
	}
	lines := a.lines()
	if len(lines) != 1 {
		t.Fatalf("logged %d lines, want 1:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for _, part := range []string{"level=WARN", "msg=request", "status=500", `err="panic: secret of the handler"`, "stack=", "response_test.go"} {
		if !strings.Contains(lines[0], part) {
			t.Errorf("the log has no %q: %s", part, lines[0])
		}
	}
}

// An answer that was begun can't be taken back: the connection is cut, so that
// the client sees it is not whole.
func TestPanicInTheMiddleOfAnAnswer(t *testing.T) {
	a := newAPI()
	a.handle("/half", func(w *response, _ *http.Request) error {
		w.writeText(http.StatusOK, "half")
		panic("oops")
	})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler { //nolint:errorlint // a recovered value is the very one, as net/http compares it
			t.Errorf("recovered %v, want http.ErrAbortHandler", v)
		}
		if line := a.lines()[0]; !strings.Contains(line, "level=WARN") || !strings.Contains(line, "panic: oops") {
			t.Errorf("logged %s", line)
		}
	}()
	a.ServeHTTP(httptest.NewRecorder(), newRequest(t, "GET", "/half", ""))
}

func TestLog(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, "level=DEBUG msg=request method=GET route=/api/{user_id}/tasks/{id} status=200 duration=0s user=u1"},
		{task.ErrNotFound, `level=DEBUG msg=request method=GET route=/api/{user_id}/tasks/{id} status=404 duration=0s user=u1 err="task not found"`},
		{fmt.Errorf("begin: %w", task.ErrUnavailable), `level=DEBUG msg=request method=GET route=/api/{user_id}/tasks/{id} status=503 duration=0s user=u1 err="begin: the store can't take the change now"`},
		{errors.New("disk full"), `level=WARN msg=request method=GET route=/api/{user_id}/tasks/{id} status=500 duration=0s user=u1 err="disk full"`},
	} {
		a := newAPI(withStore(func(context.Context) error { return c.err }))
		a.do(t, "GET", "/api/u1/tasks/1", "")
		if lines := a.lines(); len(lines) != 1 || !strings.HasSuffix(lines[0], c.want) {
			t.Errorf("%v: logged\n%s\nwant one line that ends with\n%s", c.err, strings.Join(lines, "\n"), c.want)
		}
	}
}

func TestNoLog(t *testing.T) {
	a := newAPI(func(o *Options) { o.Log = nil })
	a.do(t, "GET", "/livez", "").want(t, 200, "")
}

// What a client that has gone causes is no failure of the API.
func TestClientGone(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	a := newAPI(withStore(func(ctx context.Context) error { return fmt.Errorf("query: %w: %w", task.ErrUnavailable, ctx.Err()) }))
	a.ServeHTTP(httptest.NewRecorder(), newRequest(t, "GET", "/api/u1/tasks/1", "").WithContext(gone))
	if line := a.lines()[0]; !strings.Contains(line, "level=DEBUG") || !strings.Contains(line, "status=499") {
		t.Errorf("logged %s", line)
	}
	a = newAPI(withStore(func(context.Context) error { return context.Canceled }))
	a.do(t, "GET", "/api/u1/tasks/1", "").want(t, 500, "internal error")
}

func TestMetrics(t *testing.T) {
	clock := noon
	a := newAPI(func(o *Options) {
		o.Registry = prometheus.NewRegistry()
		o.Now = func() time.Time {
			clock = clock.Add(3 * time.Millisecond)
			return clock
		}
	})
	a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`)
	a.do(t, "POST", "/api/u2/tasks", `{}`)
	a.do(t, "GET", "/api/tasks/1", "", "X-User-ID: u1")
	a.do(t, "BREW", "/api/u1/tasks", "")
	a.do(t, "GET", "/api/nothing", "")
	got := a.do(t, "GET", "/metrics", "").want(t, 200, "")
	for _, line := range []string{
		`http_request_duration_seconds_count{method="POST",route="/api/{user_id}/tasks",status="201"} 1`,
		`http_request_duration_seconds_bucket{method="POST",route="/api/{user_id}/tasks",status="201",le="0.0025"} 0`,
		`http_request_duration_seconds_bucket{method="POST",route="/api/{user_id}/tasks",status="201",le="0.005"} 1`,
		`http_request_duration_seconds_count{method="POST",route="/api/{user_id}/tasks",status="400"} 1`,
		`http_request_duration_seconds_count{method="GET",route="/api/tasks/{id}",status="200"} 1`,
		`http_request_duration_seconds_count{method="other",route="/api/{user_id}/tasks",status="405"} 1`,
		`http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1`,
	} {
		if !strings.Contains(got.body, line+"\n") {
			t.Errorf("/metrics has no %s", line)
		}
	}
}

func TestTwoAPIsOnOneRegistry(t *testing.T) {
	reg := prometheus.NewRegistry()
	share := func(o *Options) { o.Registry = reg }
	newAPI(share).do(t, "GET", "/livez", "")
	second := newAPI(share)
	second.do(t, "GET", "/livez", "")
	second.do(t, "GET", "/metrics", "").want(t, 200, `{method="GET",route="/livez",status="200"} 2`)
}
