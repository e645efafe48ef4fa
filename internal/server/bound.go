package server

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

const (
	storeTimeout  = 5 * time.Second  // of the Store's answer to one request
	storeRequests = 1000             // that the Store is given at a time
	refusalQuiet  = 10 * time.Second // between log lines about requests that it isn't given
)

// A boundedStore keeps a slow Store from piling up requests: each gets its answer
// within a time, and what comes while too many wait is refused at once. Both are
// task.ErrUnavailable. Of a change that wasn't answered in time nobody knows whether
// it will be made: the Store says so.
type boundedStore struct {
	Store
	timeout time.Duration
	places  chan struct{}
	log     *slog.Logger
	logged  atomic.Int64 // when a refusal was logged last, in Unix nanoseconds
}

func newBoundedStore(o Options) *boundedStore {
	if o.Timeout <= 0 {
		o.Timeout = storeTimeout
	}
	if o.Requests <= 0 {
		o.Requests = storeRequests
	}
	return &boundedStore{Store: o.Store, timeout: o.Timeout, places: make(chan struct{}, o.Requests), log: o.Log}
}

// Change implements Store.
func (b *boundedStore) Change(ctx context.Context, c task.Change) (task.Result, error) {
	return bounded(ctx, b, func(ctx context.Context) (task.Result, error) { return b.Store.Change(ctx, c) })
}

// Task implements Store.
func (b *boundedStore) Task(ctx context.Context, userID string, id int64) (task.Task, error) {
	return bounded(ctx, b, func(ctx context.Context) (task.Task, error) { return b.Store.Task(ctx, userID, id) })
}

// Tasks implements Store.
func (b *boundedStore) Tasks(ctx context.Context, userID string, q task.Query) (task.Page, error) {
	return bounded(ctx, b, func(ctx context.Context) (task.Page, error) { return b.Store.Tasks(ctx, userID, q) })
}

func bounded[T any](ctx context.Context, b *boundedStore, ask func(context.Context) (T, error)) (T, error) {
	select {
	case b.places <- struct{}{}:
		defer func() { <-b.places }()
	default:
		var none T
		b.refused()
		return none, fmt.Errorf("%w: %d requests wait for an answer", task.ErrUnavailable, cap(b.places))
	}
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	return ask(ctx)
}

// refused logs that requests are refused, now and then.
func (b *boundedStore) refused() {
	now, last := time.Now().UnixNano(), b.logged.Load()
	if now-last > int64(refusalQuiet) && b.logged.CompareAndSwap(last, now) {
		b.log.Warn("requests refused, too many wait for the store", "waiting", cap(b.places))
	}
}
