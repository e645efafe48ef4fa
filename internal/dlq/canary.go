package dlq

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A Canary says how long a consumer may take for the first event.
type Canary struct {
	// Group names the consumer group that is to pass the event; of each letter its
	// Consumer when empty, or what Fallback names for the topic that it came from.
	Group    string
	Fallback map[string]string

	Timeout time.Duration
}

// Sent is a canary that went back to where it came from.
type Sent struct {
	Letter string `json:"letter"` // its place
	Event  string `json:"event"`  // where it is now
	Group  string `json:"group"`
	Passed bool   `json:"passed"` // by the group, without coming back
}

// A CanaryError says that the first event didn't pass; nothing else was sent then.
type CanaryError struct {
	Sent Sent
	Why  string
}

func (e *CanaryError) Error() string {
	return fmt.Sprintf("the canary %s did not pass: %s; nothing else was sent", e.Sent.Event, e.Why)
}

// CanaryGroups returns which consumer groups are to pass the job's canaries, by the
// topics that their letters came from; one that the letter doesn't name is "".
func (j *Job) CanaryGroups(ctx context.Context) (map[string]string, error) {
	groups := make(map[string]string)
	for _, at := range j.first() {
		l, err := j.box.at(ctx, at)
		if err != nil {
			return nil, err
		}
		groups[l.Origin.Topic] = l.Consumer
	}
	return groups, nil
}

func (c Canary) group(l Letter) string {
	switch {
	case c.Group != "":
		return c.Group
	case l.Consumer != "":
		return l.Consumer
	}
	return c.Fallback[l.Origin.Topic]
}

// canary redrives one letter and waits until its consumer has dealt with it.
func (r *redriving) canary(ctx context.Context, at Place) error {
	l, err := r.job.box.at(ctx, at)
	if err != nil {
		return err
	}
	sent := Sent{Letter: at.String(), Group: r.o.Canary.group(l)}
	record := r.record(l)
	if err := kafka.Produce(context.WithoutCancel(ctx), r.cl, []*kgo.Record{record}); err != nil {
		r.fail(at, err)
		return &CanaryError{Sent: sent, Why: err.Error()}
	}
	r.settled(at, nil)
	place := Place{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
	sent.Event = place.String()
	if err := r.commit(ctx); err != nil {
		return err
	}
	why, err := r.watch(ctx, l, place, sent.Group)
	if err != nil {
		return err
	}
	sent.Passed = why == ""
	r.Canaries = append(r.Canaries, sent)
	if why != "" {
		return &CanaryError{Sent: sent, Why: why}
	}
	return nil
}

const pollCanary = 200 * time.Millisecond

// watch waits until the group has passed the event. It returns why that is no good, or "".
func (r *redriving) watch(ctx context.Context, l Letter, event Place, group string) (string, error) {
	late, err := r.await(ctx, event, group)
	if err != nil {
		return "", err
	}
	// A consumer acknowledges an event after it has published the dead letter, so that is there by now.
	back, err := r.cameBack(ctx, l)
	switch {
	case err != nil:
		return "", err
	case back != "":
		return "it came back as " + back, nil
	case late:
		return fmt.Sprintf("group %q hasn't read it within %s", group, r.o.Canary.Timeout), nil
	}
	return "", nil
}

// await returns when the group has passed the event, or late.
func (r *redriving) await(ctx context.Context, event Place, group string) (late bool, err error) {
	limit := time.After(r.o.Canary.Timeout)
	tick := time.NewTicker(pollCanary)
	defer tick.Stop()
	for {
		if passed, err := r.passed(ctx, event, group); passed || err != nil {
			return false, err
		}
		select {
		case <-tick.C:
		case <-limit:
			return true, nil
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
}

func (r *redriving) passed(ctx context.Context, event Place, group string) (bool, error) {
	found, err := kadm.NewClient(r.cl).FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read committed offsets of group %q: %w", group, err)
	}
	committed, ok := found.Lookup(event.Topic, event.Partition)
	return ok && committed.Err == nil && committed.At > event.Offset, nil
}

// cameBack looks at the dead letters that are new, and tells of the letter's event and
// error if it is one of them.
func (r *redriving) cameBack(ctx context.Context, l Letter) (string, error) {
	topic := l.Record.Topic
	spans, err := kafka.Range{}.Resolve(ctx, r.cl, kafka.Resolving{Topics: []string{topic}, Bounded: true, ReadCommitted: true})
	if err != nil {
		return "", err
	}
	for p, span := range spans[topic] {
		if pile := r.job.piles[topic][p]; pile != nil {
			span.From = min(max(span.From, pile.end), span.To)
		}
		spans[topic][p] = span
	}
	back := ""
	err = r.job.box.read(ctx, spans, func(letters []Letter) error {
		for _, later := range letters {
			if sameEvent(l, later) {
				back = fmt.Sprintf("%s: %s", later.Place(), later.Reason)
			}
		}
		return nil
	})
	return back, err
}

func sameEvent(a, b Letter) bool {
	if a.Event.ID != "" || b.Event.ID != "" {
		return a.Event.ID == b.Event.ID
	}
	return bytes.Equal(a.Record.Value, b.Record.Value)
}
