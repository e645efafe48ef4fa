package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

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
