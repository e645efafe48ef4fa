package worker

import (
	"math/rand/v2"
	"time"

	"github.com/todoctl/todoctl/internal/notify"
)

// longestAsked bounds what a receiver may ask for with Retry-After.
const longestAsked = time.Hour

// A Retry says how often and when a notification is tried again that failed.
type Retry struct {
	Attempts    int           // in all; 16 by default
	First, Most time.Duration // the first wait, each is twice the one before, and the longest; 1 s and 10 min by default
	MaxLateness time.Duration // no attempt is made when the reminder is later than this; 24 h by default
}

func (r Retry) orDefaults() Retry {
	if r.Attempts <= 0 {
		r.Attempts = 16
	}
	if r.First <= 0 {
		r.First = time.Second
	}
	if r.Most <= 0 {
		r.Most = 10 * time.Minute
	}
	if r.MaxLateness <= 0 {
		r.MaxLateness = 24 * time.Hour
	}
	return r
}

// wait is how long to wait after the nth failure, at least; up to a quarter is added so
// that what failed together isn't tried together.
func (r Retry) wait(n int, cause error) time.Duration {
	wait := r.First
	for ; n > 1 && wait < r.Most; n-- {
		wait *= 2
	}
	wait = min(wait, r.Most)
	wait = max(wait, min(notify.RetryAfter(cause), longestAsked))
	return wait + rand.N(wait/4+1)
}

// end is the time after which no attempt is made of a reminder that came at a time. One
// that came later than it may, as a redriven one can, has as long again.
func (r Retry) end(remindAt, received time.Time) time.Time {
	end := remindAt.Add(r.MaxLateness)
	if end.Before(received) {
		return received.Add(r.MaxLateness)
	}
	return end
}
