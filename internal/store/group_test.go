package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

func TestGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var sizes []int
		g := startGroup(context.Background(), func(_ context.Context, requests []*request) {
			sizes = append(sizes, len(requests))
			<-release
		})
		answers := make(chan error, 10)
		send := func(ctx context.Context) {
			go func() { answers <- g.do(ctx, &request{}) }()
			synctest.Wait()
		}
		// The first one is written alone, at once; the next three wait together.
		under, cancelUnder := context.WithCancel(t.Context())
		send(under)
		waiting, cancelWaiting := context.WithCancel(t.Context())
		send(waiting)
		for range 3 {
			send(t.Context())
		}
		cancelWaiting()
		if err := <-answers; !errors.Is(err, context.Canceled) {
			t.Errorf("withdrawn: %v", err)
		}
		cancelUnder()
		if err := <-answers; !errors.Is(err, task.ErrUnavailable) || !errors.Is(err, context.Canceled) {
			t.Errorf("under way: %v, want that nobody knows", err)
		}
		go g.close()
		synctest.Wait()
		if err := g.do(t.Context(), &request{}); !errors.Is(err, errClosed) {
			t.Errorf("after close: %v", err)
		}
		close(release)
		for range 3 { // what waited before close is still written
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		<-g.done
		if len(sizes) != 2 || sizes[0] != 1 || sizes[1] != 3 {
			t.Errorf("transactions of %v requests, want 1 and 3", sizes)
		}
	})
}

// Somebody's change doesn't wait behind what was there before it, and what nobody waits
// for goes on beside the changes.
func TestGroupTakesChangesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var urgent, others []int // of each transaction
		g := startGroup(context.Background(), func(_ context.Context, requests []*request) {
			n := 0
			for _, r := range requests {
				if r.urgent() {
					n++
				}
			}
			urgent, others = append(urgent, n), append(others, len(requests)-n)
			<-release
		})
		send := func(n int, r request) {
			for range n {
				go func() {
					own := r
					if err := g.do(t.Context(), &own); err != nil {
						t.Error(err)
					}
				}()
				synctest.Wait()
			}
		}
		send(1, request{})
		send(maxBehind, request{settled: &settlement{}})
		send(1, request{change: &task.Change{}, receipt: &receipt{}}) // of an event
		send(2, request{change: &task.Change{}})
		for range 3 {
			release <- struct{}{}
			synctest.Wait()
		}
		// Marks of many rows weigh more.
		send(maxBehind/2, request{published: make([]int64, 3*rowsOfWeight)})
		close(release)
		g.close()
		if diff := cmp.Diff([]int{0, 2, 0, 0, 0, 0}, urgent); diff != "" {
			t.Errorf("changes in each transaction (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]int{1, maxBeside, maxBehind + 1 - maxBeside, 1, maxBehind / 4, maxBehind/4 - 1}, others); diff != "" {
			t.Errorf("others in each transaction (-want +got):\n%s", diff)
		}
	})
}
