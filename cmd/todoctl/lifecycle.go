package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// stopTimeout bounds the stop of one part; the sidecar has a longer bound of its
// own for what is in flight.
const stopTimeout = 40 * time.Second

// A lifecycle holds the parts of a running stack in the order of their start. They
// stop in the reverse order, each after the one that needs it.
type lifecycle struct {
	log   *slog.Logger
	parts []part
	ended chan error // the first part that ended by itself
}

type part struct {
	name string
	stop func(context.Context) error
}

func newLifecycle(log *slog.Logger) *lifecycle {
	return &lifecycle{log: log, ended: make(chan error, 1)}
}

// started adds a part that runs already.
func (l *lifecycle) started(name string, stop func(context.Context) error) {
	l.parts = append(l.parts, part{name, stop})
}

// run adds a part that is a function. Its context ends when the part is to stop,
// not when ctx does: the order of the stop is kept.
func (l *lifecycle) run(ctx context.Context, name string, serve func(context.Context) error) {
	own, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan error, 1)
	go func() {
		err := serve(own)
		if own.Err() == nil {
			l.fail(name, err)
		}
		done <- err
	}()
	l.started(name, func(ctx context.Context) error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// fail tells wait that a part has ended by itself.
func (l *lifecycle) fail(name string, err error) {
	if err == nil {
		err = errors.New("ended without a reason")
	}
	select {
	case l.ended <- fmt.Errorf("%s: %w", name, err):
	default: // another part was first
	}
}

// wait returns when ctx ends, with nil, or when a part has ended by itself.
func (l *lifecycle) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-l.ended:
		return err
	}
}

// stop stops every part, all of them although one fails.
func (l *lifecycle) stop(ctx context.Context) error {
	var errs []error
	for len(l.parts) > 0 {
		last := l.parts[len(l.parts)-1]
		l.parts = l.parts[:len(l.parts)-1]
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		l.log.Debug("stopping", "name", last.name)
		if err := last.stop(bounded); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", last.name, err))
		}
		cancel()
	}
	return errors.Join(errs...)
}
