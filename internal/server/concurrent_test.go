package server

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// Many clients at once: each reads in its answers what it wrote itself, so no
// pooled buffer is in two hands.
func TestConcurrentClients(t *testing.T) {
	a := newAPI(func(o *Options) {
		o.Log, o.Registry = nil, prometheus.NewRegistry()
		o.Checks = []Check{{"database", passes, true}}
	})
	send := func(method, target, body string) *httptest.ResponseRecorder {
		rec := httptest.NewRecorder()
		a.ServeHTTP(rec, newRequest(t, method, target, body))
		return rec
	}
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			tasks := fmt.Sprintf("/api/client-%d/tasks", client)
			for i := range 20 {
				title := fmt.Sprintf("task %d of client %d%s", i, client, strings.Repeat("x", client*i%150))
				rec := send("POST", tasks, fmt.Sprintf(`{"title":%q}`, title))
				if got := (reply{rec.Result(), rec.Body.String()}).task(t); got.Title != title || rec.Code != 201 {
					t.Errorf("%d, created %q, want %q", rec.Code, got.Title, title)
				}
				if rec := send("POST", rec.Header().Get("Location")+"/complete", ""); rec.Code != 200 {
					t.Errorf("complete: %d %s", rec.Code, rec.Body)
				}
				for _, path := range []string{"/readyz?verbose", "/metrics", "/docs", "/health"} {
					if rec := send("GET", path, ""); rec.Code != 200 {
						t.Errorf("%s: %d", path, rec.Code)
					}
				}
			}
			var mine []task.Task
			rec := send("GET", tasks, "")
			(reply{rec.Result(), rec.Body.String()}).decode(t, &mine)
			if len(mine) != 20 {
				t.Errorf("client %d has %d tasks, want 20", client, len(mine))
			}
		})
	}
	wg.Wait()
}

// A body that was refused half-way, or an answer that couldn't be encoded, must
// leave nothing behind for the request that gets its buffer next.
func TestBuffersAreClean(t *testing.T) {
	a := newAPI()
	a.store.tasks[1] = task.Task{ID: 1, UserID: "u1", CreatedAt: noon.AddDate(9000, 0, 0)}
	for range 10 {
		a.do(t, "POST", "/api/u2/tasks", `{"title":"left behind`).want(t, 400, "")
		a.do(t, "GET", "/api/u1/tasks/1", "").want(t, 500, "")
		if got := a.do(t, "GET", "/api/u3/tasks", "").want(t, 200, ""); got.body != "[]\n" {
			t.Fatalf("got %q", got.body)
		}
		a.do(t, "POST", "/api/u2/tasks", "").want(t, 400, "body: is empty")
	}
}
