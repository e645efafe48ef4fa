package publish

import (
	"slices"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A verdict is how a call went.
type verdict struct {
	acked   int
	refused []failure // for what they are
	topic   []failure // for where they go
	failed  []failure // for another reason
}

type failure struct {
	event task.Event
	err   error
}

// judge takes the events of a call that is over to where they belong: errs are
// Publish's.
func (t *term) judge(c *call, errs []error, now time.Time) {
	v := t.sort(c, errs, now)
	for _, f := range v.refused {
		t.refuse(f)
	}
	if v.acked > 0 {
		t.open(c.lane)
	}
	if len(v.topic) > 0 {
		t.shutTopic(c, v.topic)
	}
	if len(v.failed) > 0 {
		t.fail(c, v)
	}
}

func (t *term) sort(c *call, errs []error, now time.Time) verdict {
	var v verdict
	var told []task.Event
	for i, e := range c.events {
		if errs == nil || errs[i] == nil {
			v.acked++
			if t.o.Published != nil {
				told = append(told, e)
			}
			t.acked = append(t.acked, e.Row)
			t.metrics.delay.Observe(max(0, now.Sub(e.Time).Seconds()))
			continue
		}
		f := failure{e, errs[i]}
		kind := failureKind(f.err)
		t.metrics.failures.WithLabelValues(kind).Inc()
		switch kind {
		case failTopic:
			v.topic = append(v.topic, f)
		case failRefused:
			v.refused = append(v.refused, f)
		default:
			v.failed = append(v.failed, f)
		}
	}
	if v.acked > 0 {
		c.lane.acks += v.acked
		t.metrics.published.WithLabelValues(c.lane.topic).Add(float64(v.acked))
	}
	if len(told) > 0 {
		t.o.Published(c.lane.topic, told)
	}
	return v
}

// open: the broker took something.
func (t *term) open(l *lane) {
	since, refused := l.gate.since, l.refused
	if !l.gate.pass() {
		return
	}
	l.refused = nil
	if refused != nil {
		t.log.Info("topic takes events again", "topic", l.topic, "refused", time.Since(since))
		return
	}
	if !t.stopped() {
		t.log.Info("publishing goes on", "stopped", time.Since(t.stoppedAt))
	}
}

// stopped tells whether a topic takes nothing for a reason that isn't its own.
func (t *term) stopped() bool {
	return slices.ContainsFunc(t.order, func(l *lane) bool { return l.gate.shut && l.refused == nil })
}

// shutTopic puts off everything that goes to a topic that refuses it.
func (t *term) shutTopic(c *call, failures []failure) {
	l := c.lane
	l.gate.fail(time.Now(), c.began, topicPace())
	if l.refused == nil {
		t.log.Error("topic refuses events, they wait until it takes them", "topic", l.topic, "err", failures[0].err)
	}
	l.refused = failures[0].err
	for _, f := range failures {
		t.putOff(f.event, f.err, time.Until(l.gate.until), false)
	}
	t.putOffAll(l, l.empty())
}

func (t *term) putOffAll(l *lane, events []task.Event) {
	for _, e := range events {
		t.putOff(e, l.refused, time.Until(l.gate.until), false)
	}
}

// fail deals with events that failed for a reason that isn't theirs as far as one
// can tell.
func (t *term) fail(c *call, v verdict) {
	l := c.lane
	if l.refused != nil { // it says no more than is known already
		l.gate.fail(time.Now(), c.began, topicPace())
		for _, f := range v.failed {
			t.putOff(f.event, l.refused, time.Until(l.gate.until), false)
		}
		t.putOffAll(l, l.empty())
		return
	}
	othersPass := v.acked > 0 || c.suspects && !c.probe && l.acks > l.acksKnown
	if c.suspects {
		l.acksKnown = l.acks
	}
	switch {
	case !othersPass:
		t.shut(c, v.failed)
	case c.suspects:
		for _, f := range v.failed {
			t.putOff(f.event, f.err, outagePace().after(f.event.Attempts+1), false)
		}
	default:
		for _, f := range v.failed {
			l.put(true, f.event)
		}
	}
}

// shut: nothing passes.
func (t *term) shut(c *call, failures []failure) {
	for _, f := range failures {
		c.lane.put(c.suspects, f.event)
	}
	before, now := t.stopped(), time.Now()
	if c.lane.gate.fail(now, c.began, outagePace()) && !before {
		t.stoppedAt = now
		t.log.Warn("publishing stopped, sidecar or broker is away", "topic", c.lane.topic, "err", failures[0].err)
	}
}

// refuse counts a refusal of an event, and parks it when there were enough.
func (t *term) refuse(f failure) {
	e := f.event
	attempts := e.Attempts + 1
	park := attempts >= t.o.Attempts
	t.putOff(e, f.err, refusalPace().after(attempts), park)
	if log, more := t.refusals.allow(time.Now()); log {
		t.log.Error("event refused", "topic", e.Topic, "event_id", e.ID, "task_id", e.TaskID,
			"attempts", attempts, "parked", park, "more", more, "err", f.err)
	}
}

// putOff hides an event, and with it the later ones of its task, for a time or,
// parked, until an operator says otherwise.
func (t *term) putOff(e task.Event, err error, d time.Duration, park bool) {
	t.failures = append(t.failures, task.Failure{
		Row:     e.Row,
		Reason:  clip(err.Error()),
		RetryAt: task.Timestamp(t.o.Now().Add(max(d, 0))),
		Park:    park,
	})
}

// clip makes of a reason what a database can store and an operator wants to read.
func clip(reason string) string {
	const most = 500
	if len(reason) > most {
		reason = reason[:most] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(reason, ""), "\x00", "")
}
