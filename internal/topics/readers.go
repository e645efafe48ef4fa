package topics

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A Reader is a consumer group that reads a topic: it has committed offsets of it, or
// a member that subscribes to it.
type Reader struct {
	Group string `json:"group"`
	State string `json:"state"` // as the coordinator names it; empty where it tells none

	// Lag is how many records of the topic the group has still to read, nil when it
	// isn't known. A partition of which it has committed no offset counts whole.
	Lag *int64 `json:"lag"`
}

// readReaders sets the groups that read each topic, by name. On failure they stay
// unknown, with the reason.
func readReaders(ctx context.Context, cl *kgo.Client, list []Description) {
	bounded, cancel := context.WithTimeout(ctx, kafka.DefaultTimeout)
	defer cancel()
	groups, err := readGroups(bounded, kadm.NewClient(cl))
	for i := range list {
		if err != nil {
			list[i].ReadersError = err.Error()
			continue
		}
		list[i].Readers = []Reader{}
		for _, g := range groups {
			if g.reads(list[i].Topic) {
				list[i].Readers = append(list[i].Readers, Reader{Group: g.name, State: g.state, Lag: g.lag(list[i])})
			}
		}
	}
}

// A group is a consumer group as far as its reading goes.
type group struct {
	name, state string
	committed   kadm.OffsetResponses
	subscribed  []string // topics of its members
}

// readGroups returns all consumer groups by name.
func readGroups(ctx context.Context, adm *kadm.Client) ([]group, error) {
	listed, err := adm.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	var names []string
	for _, g := range listed.Sorted() {
		if g.ProtocolType == "consumer" || g.ProtocolType == "" { // without members it may have none
			names = append(names, g.Group)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	subscribed, err := subscriptions(ctx, adm, names)
	if err != nil {
		return nil, err
	}
	offsets := adm.FetchManyOffsets(ctx, names...)
	groups := make([]group, len(names))
	for i, name := range names {
		if err := offsets[name].Err; err != nil {
			return nil, fmt.Errorf("read offsets of group %q: %w", name, err)
		}
		groups[i] = group{name: name, state: listed[name].State, committed: offsets[name].Fetched, subscribed: subscribed[name]}
	}
	return groups, nil
}

// subscriptions are the topics of each group's members. To the request for classic
// groups those of KIP-848 look dead, or alive without members.
func subscriptions(ctx context.Context, adm *kadm.Client, names []string) (map[string][]string, error) {
	topics := make(map[string][]string, len(names))
	described, err := adm.DescribeGroups(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("describe groups: %w", err)
	}
	var rest []string
	for _, g := range described {
		topics[g.Group] = append(g.AssignedPartitions().Topics(), g.JoinTopics()...)
		if len(topics[g.Group]) == 0 && g.State != "Empty" {
			rest = append(rest, g.Group)
		}
	}
	if len(rest) == 0 {
		return topics, nil
	}
	consumers, err := adm.DescribeConsumerGroups(ctx, rest...)
	if err != nil {
		return nil, fmt.Errorf("describe groups: %w", err)
	}
	for _, g := range consumers {
		for _, m := range g.Members {
			topics[g.Group] = append(append(topics[g.Group], m.Assignment.Topics()...), m.SubscribedTopics...)
		}
	}
	return topics, nil
}

func (g group) reads(topic string) bool {
	return len(g.committed[topic]) > 0 || slices.Contains(g.subscribed, topic)
}

func (g group) lag(d Description) *int64 {
	lag := int64(0)
	for _, p := range d.Details {
		o, committed := g.committed.Lookup(d.Topic, p.Partition)
		if p.Start < 0 || p.End < 0 || o.Err != nil {
			return nil
		}
		at := p.Start
		if committed {
			at = max(at, o.At)
		}
		lag += max(p.End-at, 0)
	}
	return &lag
}
