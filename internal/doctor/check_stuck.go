package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/groups"
)

// stuckCheck is events.stuck: without a dead letter topic a subscriber that refuses an
// event gets it again for ever, and all behind it wait.
func (s *subject) stuckCheck() Check {
	return Check{
		ID: "events.stuck", Severity: Warning, Title: "consumer groups get past every event",
		Symptom: "an event is delivered again and again, and later ones don't arrive", Cause: "its handler fails or hangs, or answers a status that Dapr doesn't know: SUCCESS, RETRY and DROP are the words",
		Mend: "mend the handler, and give the subscription a deadLetterTopic", Needs: []string{"broker.reach", "broker.advertised"},
		After: []string{"sidecar.health", "environment.api"}, Run: s.checkStuck,
	}
}

const (
	stuckAge  = time.Minute     // that an event has waited for its consumer
	stuckLook = 2 * time.Second // between two looks, in which a consumer that works commits
)

// A stuckAt is a place in the log that a group with members doesn't get past.
type stuckAt struct {
	group, topic      string
	partition         int32
	offset, committed int64 // committed is -1 for a group that has committed nothing
	age               float64
}

func (s *subject) checkStuck(ctx context.Context) Result {
	before, err := s.waiting(ctx)
	if err != nil || len(before) == 0 {
		return unreadGroups(err)
	}
	look := time.NewTimer(stuckLook)
	defer look.Stop()
	select {
	case <-ctx.Done():
		return skipped("interrupted")
	case <-look.C:
	}
	after, err := s.waiting(ctx)
	if err != nil {
		return unreadGroups(err)
	}
	var r Result
	for _, p := range after {
		if !slices.ContainsFunc(before, p.same) {
			continue
		}
		place := fmt.Sprintf("%s[%d]@%d", p.topic, p.partition, p.offset)
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("Consumer group %q doesn't get past an event on %s, which has waited for %s.", p.group, p.topic, time.Duration(p.age*float64(time.Second)).Round(time.Second)),
			Evidence: facts("group", p.group, "at", place, "wanted", "an answer of SUCCESS, RETRY or DROP, or a deadLetterTopic"),
			Mend:     fmt.Sprintf("todoctl events tail %s -p %d -o %d --num 1 -e, and mend the handler: it must answer SUCCESS, RETRY or DROP", p.topic, p.partition, p.offset),
		})
	}
	return r
}

func unreadGroups(err error) Result {
	if err != nil {
		return skipped("groups can't be read: " + err.Error())
	}
	return Result{}
}

func (p stuckAt) same(other stuckAt) bool {
	p.age, other.age = 0, 0
	return p == other
}

// waiting are the places of groups with members at which an event has waited too long.
func (s *subject) waiting(ctx context.Context) ([]stuckAt, error) {
	streams, err := s.streams(ctx)
	if err != nil || len(streams) == 0 {
		return nil, err
	}
	list, err := groups.List(ctx, s.client, []string{"Stable"})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, g := range list {
		if g.TotalLag != nil && *g.TotalLag > 0 && !strings.HasPrefix(g.Group, "console-consumer-") {
			names = append(names, g.Group)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	described, err := groups.Describe(ctx, s.client, names, streams)
	if err != nil {
		return nil, err
	}
	var places []stuckAt
	for _, g := range described {
		for _, p := range g.Partitions {
			if place, ok := s.waits(g.Group.Group, p); ok {
				places = append(places, place)
			}
		}
	}
	return places, nil
}

func (s *subject) waits(group string, p groups.Partition) (stuckAt, bool) {
	if p.MemberID == "" || p.Lag == nil || *p.Lag == 0 || p.LagSeconds == nil || *p.LagSeconds < stuckAge.Seconds() {
		return stuckAt{}, false
	}
	place := stuckAt{group: group, topic: p.Topic, partition: p.Partition, committed: -1, age: *p.LagSeconds}
	switch {
	case p.Current != nil:
		place.offset, place.committed = max(*p.Current, *p.Start), *p.Current
	case s.fromOldest():
		place.offset = *p.Start
	default:
		return stuckAt{}, false // it may have begun at the end
	}
	return place, true
}

// fromOldest tells whether what consumes through the folder's components begins with
// the oldest event.
func (s *subject) fromOldest() bool {
	all := s.kafkas()
	return len(all) > 0 && !slices.ContainsFunc(all, func(c component) bool { return !strings.EqualFold(c.value("initialOffset"), "oldest") })
}
