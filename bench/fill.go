package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/todoctl/todoctl/internal/store"
)

// fillers are the goroutines that fill an outbox: as many as one transaction takes.
const fillers = 512

// fill makes a database with n events, or one more, that wait in the outbox: two a task.
// It does so through the store, as serve does, without HTTP.
func (r *rig) fill(ctx context.Context, db database, name string, n int) (err error) {
	r.note("filling %s with %s events", db.name(), count(float64(n)))
	if err := db.create(ctx, name); err != nil {
		return err
	}
	s, err := store.Open(ctx, db.url(name), store.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	change, err := creation()
	if err != nil {
		return err
	}
	var left atomic.Int64
	left.Store(int64(n+1) / 2)
	errs := make([]error, fillers)
	var running sync.WaitGroup
	for i := range errs {
		running.Go(func() {
			for errs[i] == nil && left.Add(-1) >= 0 {
				_, errs[i] = s.Change(ctx, change)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// pending is how many events wait in an outbox.
func pending(ctx context.Context, s *store.Store) (int64, error) {
	backlog, err := s.Backlog(ctx)
	if err == nil && backlog.Parked > 0 {
		err = fmt.Errorf("%d events were parked", backlog.Parked)
	}
	return backlog.Pending, err
}
