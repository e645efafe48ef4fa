package server

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A slowStore answers nothing before its time has come.
type slowStore struct{ Store }

func (slowStore) Change(ctx context.Context, _ task.Change) (task.Result, error) {
	<-ctx.Done()
	return task.Result{}, fmt.Errorf("%w: %w", task.ErrUnavailable, ctx.Err())
}

// A store that doesn't answer gives 503 after its time, and what finds too many
// before it gives 503 at once.
func TestSlowStoreIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 3
		a := newAPI(func(o *Options) { o.Store, o.Requests = slowStore{o.Store}, places })
		began := time.Now()
		var waiting sync.WaitGroup
		for range places {
			waiting.Go(func() {
				got := a.do(t, "POST", "/api/u1/tasks", `{"title":"slow"}`)
				got.want(t, 503, "try again in a moment")
				if took := time.Since(began); took != storeTimeout {
					t.Errorf("took %s, want %s", took, storeTimeout)
				}
			})
		}
		synctest.Wait()
		for range 2 {
			got := a.do(t, "POST", "/api/u1/tasks", `{"title":"one too many"}`)
			got.want(t, 503, "try again in a moment")
			if got.Header.Get("Retry-After") == "" || time.Since(began) != 0 {
				t.Errorf("after %s, Retry-After %q, want at once and one", time.Since(began), got.Header.Get("Retry-After"))
			}
		}
		a.do(t, "GET", "/livez", "").want(t, 200, "ok\n")
		waiting.Wait()
		a.do(t, "GET", "/api/u1/tasks", "").want(t, 200, "[]\n")
		if n := strings.Count(a.log.String(), "requests refused, too many wait for the store"); n != 1 {
			t.Errorf("logged %d times, want once", n)
		}
	})
}
