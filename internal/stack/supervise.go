package stack

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A sidecar may die maxRestarts times within restartWindow; once more, and it is
// given up.
const (
	maxRestarts   = 5
	restartWindow = time.Minute
	firstDelay    = 200 * time.Millisecond
)

// supervise runs the sidecar until ctx ends, and starts it anew when it dies by
// itself.
func (s *Sidecar) supervise(ctx context.Context, p *process, sink *logSink) {
	defer close(s.done)
	defer s.opts.forgetPID()
	var past restarts
	for {
		select {
		case <-ctx.Done():
			s.err = s.stop(context.WithoutCancel(ctx), p)
			return
		case <-p.done:
		}
		cause := sink.cause(p)
		s.opts.Log.Error("sidecar died", "err", cause)
		var err error
		if p, sink, err = s.restart(ctx, &past, cause); err != nil {
			if ctx.Err() == nil {
				s.err = err
			}
			return
		}
		s.opts.Log.Info("sidecar is back", "pid", p.pid())
	}
}

// restart tries until a sidecar is ready, the bound is reached, or ctx ends.
func (s *Sidecar) restart(ctx context.Context, past *restarts, cause error) (*process, *logSink, error) {
	for {
		delay, ok := past.next(time.Now())
		if !ok {
			return nil, nil, fmt.Errorf("sidecar died %d times within %s, last: %w", maxRestarts+1, restartWindow, cause)
		}
		timer := time.NewTimer(delay)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, nil, ctx.Err()
		case <-timer.C:
		}
		p, sink, err := s.launch(ctx)
		if err == nil {
			return p, sink, nil
		}
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		s.opts.Log.Warn("sidecar didn't start again", "err", err)
		cause = err
	}
}

// stop ends the process: gracefully, and by force after stopTimeout.
func (s *Sidecar) stop(ctx context.Context, p *process) error {
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	if err := p.terminate(ctx, s.api); err != nil && !p.ended() {
		p.kill()
	}
	select {
	case <-p.done:
	case <-timer.C:
		p.kill()
		<-p.done
	}
	if p.err != nil && p.cmd.ProcessState.ExitCode() < 0 {
		return errors.New("the sidecar didn't stop in time and was killed")
	}
	return nil
}

// restarts remembers when a sidecar was started again.
type restarts struct{ at []time.Time }

// next returns how long to wait before the next restart: 0.2 s, doubled for each
// other one within the window. It returns false when there have been too many.
func (r *restarts) next(now time.Time) (time.Duration, bool) {
	recent := r.at[:0]
	for _, t := range r.at {
		if now.Sub(t) < restartWindow {
			recent = append(recent, t)
		}
	}
	r.at = recent
	if len(r.at) >= maxRestarts {
		return 0, false
	}
	r.at = append(r.at, now)
	return firstDelay << (len(r.at) - 1), true
}
