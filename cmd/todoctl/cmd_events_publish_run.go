package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/schema"
)

// A publishing is one run of publish.
type publishing struct {
	topic     string
	source    input.Source
	schemas   *schema.Set              // nil for no check
	convert   func(*input.Entry) error // fits an entry to its way; nil for nothing
	say       func(error)              // tells of an entry that is passed over
	every     time.Duration            // between two entries; 0 is no limit
	keepGoing bool
	began     time.Time

	events, bytes, failed, skipped atomic.Int64
	last                           atomic.Pointer[input.Entry] // the latest that was acknowledged
	stopped                        atomic.Pointer[error]       // why it ended early
}

func (a *app) runPublish(cmd *cobra.Command, f publishFlags) error {
	if err := f.check(cmd); err != nil {
		return err
	}
	maker, err := f.maker()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(cmd.Context())
	defer cancel() // ends the reading ahead
	source, err := a.publishSource(ctx, cmd, f, maker)
	if err != nil {
		return err
	}
	p := &publishing{topic: maker.Topic, source: source, keepGoing: f.keepGoing}
	if f.rate > 0 {
		p.every = time.Duration(float64(time.Second) / f.rate)
	}
	if !f.noValidate {
		if p.schemas, err = schema.Load(); err != nil {
			return err
		}
	}
	progress := a.startProgress(p.status)
	defer progress.stop()
	p.say = func(err error) { progress.say(a.skipped(err)) }
	if !f.direct {
		p.convert = daprCarrier{maker: maker, note: progress.say, noted: make(map[string]bool)}.convert
	}
	if f.dryRun {
		err = p.print(ctx, a.stdout)
	} else {
		err = a.sendAll(cmd, f, p)
	}
	progress.stop()
	if err != nil {
		return err
	}
	return a.publishResult(ctx, p, f.dryRun)
}

// entries gives the entries that are to be sent, until the source ends, ctx ends or
// something is wrong.
func (p *publishing) entries(ctx context.Context) iter.Seq[*input.Entry] {
	return func(yield func(*input.Entry) bool) {
		pace := pace{every: p.every}
		for p.stopped.Load() == nil {
			entry, err := p.next(ctx)
			var wrong *input.PlaceError
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &wrong) && p.keepGoing:
				p.skipped.Add(1)
				p.say(err)
				continue
			case err == nil:
				err = pace.wait(ctx)
			}
			if err != nil {
				p.stop(err)
				return
			}
			if !yield(entry) {
				return
			}
		}
	}
}

// next is the next entry, fit for its way.
func (p *publishing) next(ctx context.Context) (*input.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e, err := p.source.Next()
	if err != nil {
		return nil, err
	}
	if p.convert != nil {
		if err := p.convert(e); err != nil {
			return nil, &input.PlaceError{Place: e.Place, Err: err}
		}
	}
	if p.schemas != nil && e.Event {
		if found := p.schemas.Check(e.Type, e.Record.Value); found != nil {
			return nil, &input.PlaceError{Place: e.Place, Err: invalid(e.Type, found)}
		}
	}
	return e, nil
}

func invalid(kind string, found []schema.Violation) error {
	more := ""
	if len(found) > 1 {
		more = fmt.Sprintf(" (and %d more)", len(found)-1)
	}
	return fmt.Errorf("is no %s: %s%s; 'todoctl events schema show %s' has its schema, --no-validate sends it all the same", kind, found[0], more, kind)
}

// settle counts an entry that is acknowledged or has failed. It is never called twice
// at a time.
func (p *publishing) settle(e *input.Entry, err error) {
	if err == nil {
		p.events.Add(1)
		p.bytes.Add(kafka.RecordBytes(&e.Record))
		p.last.Store(e)
		return
	}
	p.failed.Add(1)
	err = &input.PlaceError{Place: e.Place, Err: sendError(e.Record.Topic, err)}
	if p.keepGoing && errors.Is(err, publish.ErrRefused) && !errors.Is(err, publish.ErrTopicRefused) {
		p.say(err)
		return
	}
	p.stop(err)
}

// stop ends it with the first error.
func (p *publishing) stop(err error) { p.stopped.CompareAndSwap(nil, &err) }

func sendError(topic string, err error) error {
	err = fmt.Errorf("publish to %s: %w", topic, err)
	if errors.Is(err, publish.ErrTopicRefused) {
		return fmt.Errorf("%w; 'todoctl topics list' shows the topics, 'todoctl topics setup' creates the stack's own", err)
	}
	return err
}

// print writes what would be sent.
func (p *publishing) print(ctx context.Context, out io.Writer) error {
	var f kafka.JSONFormatter
	for e := range p.entries(ctx) {
		e.Record.Offset = -1 // it has none yet
		if e.Record.Timestamp.IsZero() {
			e.Record.Timestamp = time.Now()
		}
		if _, err := out.Write(f.AppendJSON(nil, &e.Record)); err != nil {
			return err
		}
		p.settle(e, nil)
	}
	return nil
}

// A pace keeps a time between one and the next. After a wait for input it doesn't
// hurry to make up for it.
type pace struct {
	every time.Duration
	next  time.Time
}

func (p *pace) wait(ctx context.Context) error {
	if p.every == 0 {
		return nil
	}
	now := time.Now()
	if p.next.Before(now.Add(-max(p.every, 100*time.Millisecond))) {
		p.next = now
	}
	if ahead := p.next.Sub(now); ahead > 0 {
		timer := time.NewTimer(ahead)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	p.next = p.next.Add(p.every)
	return nil
}
