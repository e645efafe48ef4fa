package notify

import (
	"context"
	"io"
	"sync"
)

// Log writes each notification as a line of JSON, the same that a webhook gets:
// for development and tests.
type Log struct {
	mu  sync.Mutex
	out io.Writer
}

// NewLog returns a Log that writes to out, each line with one Write. A writer that
// has a Flush method is flushed after each.
func NewLog(out io.Writer) *Log { return &Log{out: out} }

// Send implements [Channel].
func (l *Log) Send(ctx context.Context, n Notification) error {
	if err := ctx.Err(); err != nil {
		return transient("log: %w", err)
	}
	line, err := n.json()
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, err := l.out.Write(append(line, '\n')); err != nil {
		return transient("log: %w", err)
	}
	if buffered, ok := l.out.(interface{ Flush() error }); ok {
		if err := buffered.Flush(); err != nil {
			return transient("log: %w", err)
		}
	}
	return nil
}
