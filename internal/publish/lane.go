package publish

import (
	"slices"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A lane is the way to one topic: the heads that wait for it, and what is known
// of its health. All of it belongs to the goroutine of the term.
type lane struct {
	topic string
	gate  gate

	// refused is why the topic takes nothing; nil in an outage and in health.
	refused error

	queue []task.Event

	// suspects have failed while others passed. They travel together and apart
	// from the rest, in one call at a time: one that can't be published would make
	// every bulk call fail that it is part of.
	suspects []task.Event
	trying   bool // a call of suspects is under way

	acks      int // events acknowledged so far
	acksKnown int // acks when a call of suspects last failed
}

// A call is one Publish: events of one topic and of different tasks.
type call struct {
	lane     *lane
	events   []task.Event
	suspects bool
	probe    bool // the only one while the gate is shut
	began    time.Time
}

// next takes the events of the next call, nil when there is none to make now. A
// call that isn't full is made only when partial ones are wanted.
func (l *lane) next(now time.Time, batch int, partial bool) *call {
	switch {
	case l.size() == 0 || !l.gate.free(now):
		return nil
	case l.gate.shut:
		// One event is enough to ask whether all is well again. Failing, it goes to
		// the back: the next probe is another one, so that one that can't be
		// published doesn't look like an outage for ever.
		c := l.take(1, len(l.queue) == 0 || len(l.suspects) > 0 && l.gate.failures%2 == 0)
		c.probe, l.gate.trying = true, true
		return c
	case len(l.suspects) > 0 && !l.trying:
		l.trying = true
		return l.take(batch, true)
	case len(l.queue) >= batch || partial && len(l.queue) > 0:
		return l.take(batch, false)
	default:
		return nil
	}
}

func (l *lane) take(most int, suspects bool) *call {
	from := &l.queue
	if suspects {
		from = &l.suspects
	}
	n, size := 0, 0
	for n < len(*from) && n < most {
		if size += len((*from)[n].Payload); n > 0 && size > maxCall {
			break
		}
		n++
	}
	c := &call{lane: l, events: (*from)[:n:n], suspects: suspects}
	*from = (*from)[n:]
	return c
}

// done takes note that the call is over.
func (l *lane) done(c *call) {
	if c.probe {
		l.gate.trying = false
		return
	}
	if c.suspects {
		l.trying = false
	}
}

// put adds events at the back.
func (l *lane) put(suspects bool, events ...task.Event) {
	if suspects {
		l.suspects = append(l.suspects, events...)
		return
	}
	l.queue = append(l.queue, events...)
}

func (l *lane) size() int { return len(l.queue) + len(l.suspects) }

// empty takes everything out.
func (l *lane) empty() []task.Event {
	events := slices.Concat(l.queue, l.suspects)
	l.queue, l.suspects = nil, nil
	return events
}

// message is the event as it goes to a Publisher.
func message(e task.Event) Message {
	return Message{ID: e.ID, Key: e.Key(), ContentType: task.ContentType, Data: e.Payload}
}
