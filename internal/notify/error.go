package notify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// An Error is a delivery that failed, judged.
type Error struct {
	Permanent  bool          // another attempt would fail alike
	RetryAfter time.Duration // what the receiver asked for, 0 where it didn't
	Err        error
}

func (e *Error) Error() string { return e.Err.Error() }

func (e *Error) Unwrap() error { return e.Err }

// IsPermanent tells whether another attempt would fail alike. An error that says
// nothing of it is transient.
func IsPermanent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Permanent
}

// RetryAfter is how long the receiver asked to be left alone, 0 where it didn't.
func RetryAfter(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.RetryAfter
	}
	return 0
}

func permanent(format string, args ...any) error {
	return &Error{Permanent: true, Err: fmt.Errorf(format, args...)}
}

func transient(format string, args ...any) error {
	return &Error{Err: fmt.Errorf(format, args...)}
}

// inTime says of a failure at the end of the context that time ran out, which is
// all that the several words for it mean.
func inTime(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil {
		if errors.Is(ended, context.DeadlineExceeded) {
			return errors.New("no answer in time")
		}
		return ended
	}
	return err
}
