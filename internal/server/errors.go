package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/todoctl/todoctl/internal/task"
)

// statusClientGone is what the log and the metrics say of a request whose client
// went away (nginx's code; nobody receives it).
const statusClientGone = 499

// A refusedError is an answer that the API gives by itself, without the Store.
type refusedError struct {
	status int
	detail string
}

func (e *refusedError) Error() string { return e.detail }

func refuse(status int, format string, args ...any) error {
	return &refusedError{status: status, detail: fmt.Sprintf(format, args...)}
}

// A panicError is a panic of a handler, caught.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

// failure is the body of every answer that isn't 2xx or 3xx.
type failure struct {
	Detail string         `json:"detail"`
	Errors []task.Problem `json:"errors,omitempty"`
}

// statusOf is the table of errors: which status each one has, and what the
// client reads. The text of an error that isn't in it stays inside. ctx is the
// request's.
func statusOf(ctx context.Context, err error) (int, failure) {
	var refused *refusedError
	var invalid *task.InvalidError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &refused):
		return refused.status, failure{Detail: refused.detail}
	case errors.As(err, &invalid):
		return http.StatusBadRequest, failure{Detail: invalid.Error(), Errors: invalid.Problems}
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge, failure{Detail: fmt.Sprintf("the body is too large, at most %d bytes are read", tooLarge.Limit)}
	case errors.Is(err, task.ErrNotFound):
		return http.StatusNotFound, failure{Detail: task.ErrNotFound.Error()}
	case errors.Is(err, task.ErrStale):
		return http.StatusPreconditionFailed, failure{Detail: task.ErrStale.Error() + ": get it again and repeat the change with its new ETag"}
	case errors.Is(err, task.ErrKeyReused):
		return http.StatusUnprocessableEntity, failure{Detail: task.ErrKeyReused.Error()}
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return statusClientGone, failure{Detail: "the request was given up"}
	case errors.Is(err, task.ErrUnavailable):
		return http.StatusServiceUnavailable, failure{Detail: task.ErrUnavailable.Error() + ", try again in a moment"}
	default:
		return http.StatusInternalServerError, failure{Detail: "internal error; the log of the API has the cause"}
	}
}

// fail answers with an error and keeps it for the log.
func (s *server) fail(w *response, r *http.Request, err error) {
	w.err = err
	if w.status != 0 {
		return // too late to say anything else
	}
	status, body := statusOf(r.Context(), err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	if err := s.writeJSON(w, status, body); err != nil {
		w.err = errors.Join(w.err, err)
	}
}

// quote shows what a client sent, on one line and not at any length.
func quote(text string) string {
	const most = 64
	if len(text) > most {
		return strconv.Quote(text[:most]) + "…"
	}
	return strconv.Quote(text)
}
