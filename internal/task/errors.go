package task

import (
	"errors"
	"strings"
)

// The outcomes that callers tell apart. Every other error is a failure of the
// machinery beneath.
var (
	ErrNotFound    = errors.New("task not found")
	ErrStale       = errors.New("the task has changed since it was read")
	ErrKeyReused   = errors.New("this Idempotency-Key was used before, with another request")
	ErrUnavailable = errors.New("the store can't take the change now")
)

// An InvalidError says what is wrong with an input, field by field.
type InvalidError struct {
	Problems []Problem
}

// A Problem is one thing that is wrong with one field.
type Problem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Error joins the problems into one line, such as
// "title: must have 1 to 200 characters, has 0".
func (e *InvalidError) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Field + ": " + p.Message
	}
	return strings.Join(lines, "; ")
}

// Invalid returns an InvalidError of one problem.
func Invalid(field, message string) error {
	return &InvalidError{Problems: []Problem{{Field: field, Message: message}}}
}
