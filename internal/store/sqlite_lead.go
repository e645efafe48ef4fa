package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// lead locks a file beside the database. The system frees the lock when its
// process ends; a leader that is merely paused keeps it.
func (db *sqliteDB) lead(ctx context.Context) (context.Context, func(), error) {
	lock := flock.New(db.lockPath())
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return nil, nil, fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	leading, end := context.WithCancel(ctx)
	return leading, func() {
		end()
		_ = lock.Close() // it only holds a lock, which is free now either way
	}, nil
}

func (db *sqliteDB) lockPath() string { return db.path + ".leader" }

// leader tries the lock for a moment, as a reader, so that two who ask don't see
// each other. It doesn't create the file.
func (db *sqliteDB) leader(context.Context) (Leader, error) {
	lock := flock.New(db.lockPath(), flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	if errors.Is(err, fs.ErrNotExist) {
		return Leader{}, nil // nobody ever led
	}
	if err != nil {
		return Leader{}, fmt.Errorf("try %s: %w", lock.Path(), err)
	}
	return Leader{Leads: !free}, lock.Close()
}
