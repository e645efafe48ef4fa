package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// sweepStep is how many rows one step of an operator's command looks at: few enough
// that no write waits long for it.
const sweepStep = 2000

// release is what makes an event go out again as if it had never been tried. It is
// due since it was made, so that no difference of clocks puts it off.
const release = `UPDATE outbox SET published_at = NULL, parked_at = NULL, attempts = 0, next_attempt_at = created_at`

// A sweep goes over rows of the outbox in small transactions: it releases them, or
// only counts them. What other processes do meanwhile is not in its way.
type sweep struct {
	store    *Store
	dryRun   bool
	progress func(rows int) // told after each step how many there were so far; may be nil
	total    int
}

// step does what is to be done with some rows.
func (sw *sweep) step(ctx context.Context, w *where) error {
	began := time.Now()
	n, err := sw.rows(ctx, w)
	sw.total += n
	if sw.progress != nil {
		sw.progress(sw.total)
	}
	if err != nil || sw.dryRun || n == 0 {
		return err
	}
	return giveWay(ctx, time.Since(began))
}

func (sw *sweep) rows(ctx context.Context, w *where) (n int, err error) {
	if sw.dryRun {
		err := sw.read(ctx, query{
			sql: "SELECT count(*) FROM outbox" + w.sql(), args: w.args, row: func(scan scanner) error { return scan(&n) },
		})
		return n, err
	}
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	db := sw.store.db
	n, err = db.exec(ctx, release+w.sql(), w.args...)
	for try := 1; err != nil && db.verdict(err) == again && try < maxTries; try++ {
		n, err = db.exec(ctx, release+w.sql(), w.args...)
	}
	return n, err
}

func (sw *sweep) read(ctx context.Context, q query) error {
	ctx, cancel := context.WithTimeout(ctx, transactionTimeout)
	defer cancel()
	return sw.store.db.read(ctx, q)
}

// giveWay lets others write for as long as the last transaction kept them from it:
// those who wait for a SQLite file stand in no line.
func giveWay(ctx context.Context, took time.Duration) error {
	timer := time.NewTimer(min(took, time.Second))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// result is what a command returns. What was done before an error stays done.
func (sw *sweep) result(what string, err error) (int, error) {
	switch {
	case err == nil:
		return sw.total, nil
	case errors.Is(err, context.Canceled):
		return sw.total, fmt.Errorf("%s: %w", what, err)
	}
	return sw.total, fmt.Errorf("%s: %w: %w", what, task.ErrUnavailable, err)
}
