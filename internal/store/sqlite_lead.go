package store

import (
	"context"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// lead locks a file beside the database. The system frees the lock when its
// process ends; a leader that is merely paused keeps it.
func (db *sqliteDB) lead(ctx context.Context) (context.Context, func(), error) {
	lock := flock.New(db.path + ".leader")
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	leading, end := context.WithCancel(ctx)
	return leading, func() {
		end()
		_ = lock.Close() // it only holds a lock, which is free now either way
	}, nil
}
