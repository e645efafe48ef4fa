package server

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// noop is a Store that costs nothing.
type noop struct{ task task.Task }

func (n noop) Change(context.Context, task.Change) (task.Result, error) {
	return task.Result{Task: n.task}, nil
}

func (n noop) Task(context.Context, string, int64) (task.Task, error) { return n.task, nil }

func (n noop) Tasks(context.Context, string, task.Query) (task.Page, error) { return task.Page{}, nil }

// discard is a ResponseWriter that costs next to nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkCreate is one POST without connection and store.
func BenchmarkCreate(b *testing.B) {
	for _, key := range []string{"", "7f3c1d5e-2b8a-4f57-9a55-0c1b6f0d8a11"} {
		b.Run(map[bool]string{true: "plain", false: "idempotent"}[key == ""], func(b *testing.B) {
			at := time.Date(2026, 2, 17, 12, 0, 0, 123456000, time.UTC)
			h := New(Options{Store: noop{task.Task{ID: 1, UserID: "u1", Title: "Buy groceries", Tags: []string{"home"}, CreatedAt: at, UpdatedAt: at, Sequence: 1}}})
			body := strings.NewReader(`{"title":"Buy groceries","priority":"high","tags":["home"],"due_date":"2026-03-01T12:00:00Z"}`)
			r, err := http.NewRequestWithContext(b.Context(), "POST", "/api/u1/tasks", io.NopCloser(body))
			if err != nil {
				b.Fatal(err)
			}
			r.ContentLength = body.Size()
			r.Header.Set("Content-Type", "application/json")
			if key != "" {
				r.Header.Set("Idempotency-Key", key)
			}
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				body.Reset(`{"title":"Buy groceries","priority":"high","tags":["home"],"due_date":"2026-03-01T12:00:00Z"}`)
				h.ServeHTTP(w, r)
			}
			if w.header.Get("Location") != "/api/u1/tasks/1" {
				b.Fatalf("answer %v", w.header)
			}
		})
	}
}
