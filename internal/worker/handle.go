package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/todoctl/todoctl/internal/task"
)

// What became of an event, or of an attempt to notify, for todo_worker_handled_total.
const (
	resultHandled  = "handled"
	resultAccepted = "accepted" // notifications are owed; what becomes of them is counted for each
	resultHeld     = "held"     // quiet hours: it waits for their end
	resultRepeated = "repeated" // had been handled before
	resultNothing  = "nothing"  // calls for nothing
	resultIgnored  = "ignored"  // of a type or version that nobody here knows
	resultRetried  = "retried"
	resultDead     = "dead"    // published as a dead letter
	resultDropped  = "dropped" // no JSON object: left to Dapr
)

// The reasons of dead letters.
const (
	reasonInvalid   = "invalid"   // the event isn't what its type says
	reasonPermanent = "permanent" // trying again can't help
	reasonAttempts  = "attempts"  // failed too often
)

// The consumers, as the database knows them.
const (
	recurrenceConsumer   = "recurrence"
	notificationConsumer = "notify"
	deadLetterConsumer   = "dead-letter" // of records, see recordID; followed by ":CHANNEL" where only that failed
)

// invalidError tells of an event that isn't what its type says.
type invalidError struct{ err error }

func (e invalidError) Error() string { return e.err.Error() }
func (e invalidError) Unwrap() error { return e.err }

// wrongData says in plain words why the data of an event can't be read.
func wrongData(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) && wrong.Field != "" {
		err = fmt.Errorf("%s has the wrong type, %s", wrong.Field, wrong.Value)
	}
	return invalidError{err}
}

// handle does what an event calls for.
func (w *Worker) handle(ctx context.Context, e event) (status, string) {
	switch {
	case e.version == "":
		return w.bury(ctx, deadLetterConsumer, e, failure{err: invalidError{errors.New("is no CloudEvent: it has no specversion")}})
	case e.version != "1.0" || e.kind == "":
		w.log.Debug("event ignored", append(e.origin.attrs(), "event_id", e.id, "type", e.text("type"), "version", e.version)...)
		return success, resultIgnored
	case e.id == "":
		return w.bury(ctx, deadLetterConsumer, e, failure{err: invalidError{errors.New("has no id: a repeat couldn't be told")}})
	}
	var result string
	var err error
	switch e.kind {
	case task.TypeCompleted:
		result, err = w.recur(ctx, e)
	case task.TypeDue:
		result, err = w.remind(ctx, e)
	default:
		return success, resultNothing
	}
	switch {
	case err == nil:
		return success, result
	case ctx.Err() != nil || errors.Is(err, task.ErrUnavailable) || errors.Is(err, task.ErrStale):
		w.log.Warn("event waits", append(e.origin.attrs(), "event_id", e.id, "err", err)...)
		return retry, resultRetried
	default:
		return w.bury(ctx, deadLetterConsumer, e, failure{err: err})
	}
}

func isInvalid(err error) bool {
	return errors.As(err, new(invalidError)) || errors.As(err, new(*task.InvalidError))
}
