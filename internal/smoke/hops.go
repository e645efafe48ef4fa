package smoke

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/kafka"
)

// pollEvery is how often outbox and consumer group are looked at.
const pollEvery = 50 * time.Millisecond

// position puts the reader at the topic's end, before anything is sent.
func (p *probe) position(ctx context.Context) (string, error) {
	if err := kafka.Reach(ctx, p.Client, remaining(ctx)); err != nil {
		return "", err
	}
	admin := kadm.NewClient(p.Client)
	found, err := admin.ListTopics(ctx, p.Topic)
	if err != nil {
		return "", fmt.Errorf("look for topic %q: %w", p.Topic, err)
	}
	switch err := found[p.Topic].Err; {
	case kafka.Absent(err):
		return "", fault{kafka.Unknown(ctx, p.Client, p.Topic), "todoctl topics setup"}
	case err != nil:
		return "", fmt.Errorf("topic %q: %w", p.Topic, err)
	}
	ends, err := admin.ListEndOffsets(ctx, p.Topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return "", fmt.Errorf("read the end of topic %q: %w", p.Topic, err)
	}
	places := make(map[int32]kgo.Offset)
	ends.Each(func(o kadm.ListedOffset) { places[o.Partition] = kgo.NewOffset().At(o.Offset) })
	p.Reader.AddConsumePartitions(map[string]map[int32]kgo.Offset{p.Topic: places})
	return fmt.Sprintf("%s: the reader is at the end of its %d partitions", p.Topic, len(places)), nil
}

// remaining is the time that is left, DefaultTimeout at most.
func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline() // Run sets one
	return max(min(time.Until(deadline), kafka.DefaultTimeout), time.Millisecond)
}

// addTask removes what killed runs have left, and adds the probe.
func (p *probe) addTask(ctx context.Context) (string, error) {
	left, err := p.API.Sweep(ctx, TitlePrefix)
	if err != nil {
		return "", err
	}
	p.added = true
	if p.taskID, err = p.API.Add(ctx, p.title()); err != nil {
		return "", err
	}
	p.result.TaskID = p.taskID
	detail := fmt.Sprintf("task %d of user %s added", p.taskID, User)
	if left > 0 {
		detail += fmt.Sprintf("; %d left over from earlier runs deleted", left)
	}
	return detail, nil
}

// leaveOutbox waits until the event isn't in the outbox any more.
func (p *probe) leaveOutbox(ctx context.Context) (string, error) {
	if p.Outbox == nil {
		return "", skipError{"no database is named; the next hop shows whether the event came out"}
	}
	why := "it was not seen there"
	err := until(ctx, func() (bool, error) {
		now, err := p.Outbox.Waiting(ctx, p.Topic, p.title(), p.taskID)
		if err == nil {
			why = now
		}
		return err == nil && now == "", err
	})
	switch {
	case errors.Is(err, ErrNotHere):
		return "", skipError{err.Error() + "; the next hop shows whether the event came out"}
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("%s for the event of task %d to leave the outbox: %s", p.waited(), p.taskID, why)
	case err != nil:
		return "", err
	}
	return "published", nil
}

// publish sends an event that no consumer does anything about.
func (p *probe) publish(ctx context.Context) (string, error) {
	event, err := json.Marshal(map[string]any{
		"specversion": "1.0", "id": p.token, "source": "todoctl", "type": Type,
		"time": time.Now().UTC().Format(time.RFC3339Nano), "datacontenttype": "application/json",
		"data": map[string]any{"event_type": Type, "user_id": User, "data": map[string]any{}},
	})
	if err != nil {
		return "", err
	}
	if err := p.Publish(ctx, p.token, event); err != nil {
		return "", err
	}
	return "event " + p.token + " acknowledged", nil
}

// readBack reads the topic until the probe comes.
func (p *probe) readBack(ctx context.Context) (string, error) {
	others, trouble := 0, error(nil)
	for p.record == nil {
		fetches := p.Reader.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) {
			if ctx.Err() == nil {
				trouble = err
			}
		})
		fetches.EachRecord(func(r *kgo.Record) {
			switch event, ok := kafka.ParseEvent(r); {
			case p.record == nil && ok && p.sent(r, event):
				p.record, p.result.EventID = r, event.ID
			default:
				others++
			}
		})
		if ctx.Err() != nil && p.record == nil {
			return "", p.absent(others, trouble)
		}
	}
	p.result.Partition, p.result.Offset = p.record.Partition, p.record.Offset
	return fmt.Sprintf("%s, event %s", p.place(), p.result.EventID), nil
}

// sent tells whether a record is the probe: a task's event has its id and, since other
// stacks may write to the same topic, the token in its title.
func (p *probe) sent(r *kgo.Record, e kafka.Event) bool {
	if p.API == nil {
		return e.ID == p.token
	}
	return e.Subject == "tasks/"+strconv.FormatInt(p.taskID, 10) && bytes.Contains(r.Value, []byte(p.token))
}

func (p *probe) absent(others int, trouble error) error {
	what := "event " + p.token
	if p.API != nil {
		what = fmt.Sprintf("an event of task %d", p.taskID)
	}
	err := fmt.Errorf("%s for %s on topic %s, where %d other events came meanwhile", p.waited(), what, p.Topic, others)
	if trouble != nil {
		err = fmt.Errorf("%w; the last error: %w", err, trouble)
	}
	return err
}

func (p *probe) place() string {
	return fmt.Sprintf("%s[%d]@%d", p.record.Topic, p.record.Partition, p.record.Offset)
}

// passGroup waits until the group's committed offset is behind the probe.
func (p *probe) passGroup(ctx context.Context) (string, error) {
	members, err := p.readers(ctx)
	if err != nil {
		return "", err
	}
	at, admin := int64(-1), kadm.NewClient(p.Client)
	err = until(ctx, func() (bool, error) {
		committed, _ := admin.FetchOffsets(ctx, p.Group) // fails while it doesn't exist, or its coordinator moves
		if o, ok := committed.Lookup(p.Topic, p.record.Partition); ok && o.Err == nil {
			at = o.At
		}
		return at > p.record.Offset, nil
	})
	if err == nil {
		return fmt.Sprintf("group %s is at %d", p.Group, at), nil
	}
	where := "it has committed nothing there"
	if at >= 0 {
		where = fmt.Sprintf("it is at %d", at)
	}
	if members == 0 {
		where += " and had no members"
	}
	return "", fmt.Errorf("%s for group %s to pass %s: %s", p.waited(), p.Group, p.place(), where)
}

// readers counts the group's members. A group that isn't expected and has nothing to do
// with the topic is skipped.
func (p *probe) readers(ctx context.Context) (int, error) {
	var found []groups.Description
	err := until(ctx, func() (bool, error) {
		var err error
		found, err = groups.Describe(ctx, p.Client, []string{p.Group}, []string{p.Topic})
		if errors.Is(err, kerr.CoordinatorNotAvailable) { // a new cluster has none at first
			return false, nil
		}
		return true, err
	})
	var unknown *groups.UnknownGroupError
	switch {
	case errors.As(err, &unknown):
		found = nil
	case err != nil:
		return 0, err
	}
	if !p.Expected && (len(found) == 0 || len(found[0].Partitions) == 0) {
		return 0, skipError{fmt.Sprintf("group %s doesn't read %s", p.Group, p.Topic)}
	}
	if len(found) == 0 {
		return 0, nil
	}
	return len(found[0].Members), nil
}

// until asks again and again, at once first. It ends with the context's error.
func until(ctx context.Context, ask func() (done bool, err error)) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		done, err := ask()
		switch {
		case ctx.Err() != nil && !done:
			return ctx.Err()
		case done || err != nil:
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}
