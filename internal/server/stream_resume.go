package server

import (
	"context"
	"errors"
)

const (
	// resumeRecords is how far behind a client may be, in records of all users: to
	// load the list of tasks again is cheaper than to read so many for one client.
	resumeRecords = 20_000

	// resumeBytes is what one replay holds for its client before it is written.
	resumeBytes = 1 << 20
)

// errFull says that a replay has found as much as is written at once.
var errFull = errors.New("enough was read")

// resume brings the client from its last event to the present and joins it there.
// Where that can't be, it is told to reload, whatever the reason: a browser that is
// refused never tries again.
func (f *feed) resume(ctx context.Context, lastEventID string) error {
	from, err := parsePosition(lastEventID)
	if err != nil {
		return f.beginHere("Last-Event-ID " + err.Error())
	}
	bounded, cancel := context.WithTimeout(ctx, resumeWait)
	defer cancel()
	err = f.catchUp(bounded, from)
	tooFar, ok := errors.AsType[*unresumableError](err)
	if !ok {
		return err
	}
	if err := f.ended(ctx); err != nil {
		return err
	}
	f.w.err = err // for the log: the client needs no more than the reason
	return f.beginHere(tooFar.reason)
}

// An unresumableError says why a client can't go on where it was.
type unresumableError struct {
	reason string
	cause  error // may be nil
}

func (e *unresumableError) Error() string {
	if e.cause == nil {
		return e.reason
	}
	return e.reason + ": " + e.cause.Error()
}

func (e *unresumableError) Unwrap() error { return e.cause }

// catchUp reads the log until the hub remembers all that is left, and joins the
// stream there. Its error is an *unresumableError or that of a write.
func (f *feed) catchUp(ctx context.Context, at Position) error {
	for {
		var standing standing
		var to Position
		moved := f.hub.awaitMove(ctx, func() bool {
			standing, to = f.hub.join(f.subscriber, at)
			return standing != standsShut && standing != standsAhead
		})
		switch {
		case !moved:
			return &unresumableError{reason: "the position wasn't reached in time"}
		case standing == standsJoined:
			return nil
		case standing == standsForeign:
			return &unresumableError{reason: "the position is of another log"}
		case f.hub.o.Replay == nil || at.behind(to) > resumeRecords:
			return &unresumableError{reason: "the position is too far back"}
		}
		missed, err := f.replay(ctx, &at, to)
		if err != nil {
			return &unresumableError{reason: "the updates since that position couldn't be read", cause: err}
		}
		if err := f.write(missed); err != nil {
			return err
		}
	}
}

// replay reads the log from one position up to another, or until it has found
// enough to write, and moves the position. It waits for its turn: when a thousand
// clients come back at once, the broker shouldn't notice.
func (f *feed) replay(ctx context.Context, at *Position, to Position) ([]message, error) {
	select {
	case f.hub.replays <- struct{}{}:
		defer func() { <-f.hub.replays }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var missed []message
	size := 0
	err := f.hub.o.Replay(ctx, at.clone(), to, func(records []Record) error {
		for _, r := range records {
			if size > resumeBytes {
				return errFull
			}
			at.pass(r.Partition, r.Offset)
			if u := r.update(); u != nil && u.user == f.subscriber.user {
				missed = append(missed, message{at.String(), u.text})
				size += u.size()
			}
		}
		return nil
	})
	if errors.Is(err, errFull) {
		return missed, nil
	}
	if err != nil {
		return nil, err
	}
	at.passAll(to)
	return missed, nil
}
