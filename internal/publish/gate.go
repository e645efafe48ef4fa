package publish

import (
	"math/rand/v2"
	"time"
)

// A pace is how waiting times grow: they double from low to high.
type pace struct {
	low, high time.Duration
}

// after is the waiting time after some failures in a row, with jitter: from half
// of it to all of it.
func (p pace) after(failures int) time.Duration {
	d := p.high
	if shift := max(failures-1, 0); shift < 30 {
		d = min(p.low<<shift, p.high)
	}
	return d/2 + rand.N(d/2+1)
}

// A gate holds work back after a failure. While it is shut, one attempt at a time
// passes. It runs on the monotonic clock: a step of the wall clock doesn't move
// it.
type gate struct {
	shut     bool
	trying   bool // an attempt is under way
	failures int  // since it was shut
	since    time.Time
	failed   time.Time // last
	until    time.Time
}

// free tells whether an attempt may begin now.
func (g *gate) free(now time.Time) bool {
	return !g.shut || !g.trying && !now.Before(g.until)
}

// fail shuts the gate, or keeps it shut for longer. An attempt that began before
// the last failure tells nothing new. It returns whether the gate was open.
func (g *gate) fail(now, began time.Time, p pace) bool {
	if g.shut && began.Before(g.failed) {
		return false
	}
	first := !g.shut
	if first {
		g.since = now
	}
	g.shut, g.failed = true, now
	g.failures++
	g.until = now.Add(p.after(g.failures))
	return first
}

// pass opens the gate and returns whether it was shut.
func (g *gate) pass() bool {
	was := g.shut
	g.shut, g.failures = false, 0
	return was
}

// A seldom lets one log line pass in an interval and counts what it held back.
type seldom struct {
	last    time.Time
	missing int
}

// allow returns whether to log now and how many lines were held back before.
func (s *seldom) allow(now time.Time) (bool, int) {
	if !s.last.IsZero() && now.Sub(s.last) < 10*time.Second {
		s.missing++
		return false, 0
	}
	missing := s.missing
	s.last, s.missing = now, 0
	return true, missing
}
