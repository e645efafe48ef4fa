package groups

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A Partition is what a group has read of a partition. Numbers that nobody could tell
// are nil.
type Partition struct {
	Topic      string   `json:"topic"`
	Partition  int32    `json:"partition"`
	Current    *int64   `json:"current_offset"` // the committed one: the next to be read; null when nothing is committed
	Start      *int64   `json:"log_start_offset"`
	End        *int64   `json:"log_end_offset"`
	Lag        *int64   `json:"lag"`         // from Current, or Start when nothing is committed, to End
	LagSeconds *float64 `json:"lag_seconds"` // age of the first record not yet read; 0 when there is none
	Lost       int64    `json:"lost"`        // offsets between Current and Start: deleted before they were read
	Beyond     int64    `json:"beyond_end"`  // offsets between End and Current: the log was cut, or the offset set wrong
	Gone       bool     `json:"gone"`        // the topic or partition doesn't exist any more: nothing to be behind of
	MemberID   string   `json:"member_id,omitempty"`
	InstanceID string   `json:"instance_id,omitempty"`
	ClientID   string   `json:"client_id,omitempty"`
	Host       string   `json:"host,omitempty"`
	Error      string   `json:"error,omitempty"` // why something is not known
}

// offsets are what the lag of groups is worked out from.
type offsets struct {
	committed    kadm.FetchOffsetsResponses
	topics       kadm.TopicDetails
	starts, ends kadm.ListedOffsets
}

// readOffsets reads what the groups have committed, and the logs' ends of all topics
// that they have committed, are assigned or want.
func readOffsets(ctx context.Context, adm *kadm.Client, groups map[string]Group) (offsets, error) {
	var o offsets
	names := make([]string, 0, len(groups))
	wanted := make(kadm.TopicsSet)
	for name, g := range groups {
		names = append(names, name)
		for _, m := range g.Members {
			wanted.Merge(m.assigned)
			wanted.MergeTopics(m.topics)
		}
	}
	o.committed = adm.FetchManyOffsets(ctx, names...)
	wanted.Merge(o.committed.CommittedPartitions())
	delete(wanted, "") // a topic that was deleted, where brokers speak of topics by id only
	if len(wanted) == 0 {
		return o, nil // kadm would list all topics
	}
	var err, startErr, endErr error
	if o.topics, err = adm.ListTopicsWithInternal(ctx, wanted.Topics()...); err != nil {
		return o, fmt.Errorf("read metadata: %w", err)
	}
	o.starts, startErr = adm.ListStartOffsets(ctx, wanted.Topics()...)
	o.ends, endErr = adm.ListEndOffsets(ctx, wanted.Topics()...)
	for _, err := range []error{startErr, endErr} {
		var some *kadm.ShardErrors // the partitions that these concern have no offset then
		if err != nil && !errors.As(err, &some) {
			return o, fmt.Errorf("list offsets: %w", err)
		}
	}
	return o, nil
}

// of returns the partitions of the group, by topic and number.
func (o offsets) of(g Group) ([]Partition, error) {
	committed := o.committed[g.Group]
	if err := committed.Err; err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("read committed offsets of group %q: %w", g.Group, err)
	}
	all, members := o.concerned(g)
	for _, offset := range committed.Fetched.Sorted() {
		all.Add(offset)
	}
	list := []Partition{}
	lags := kadm.CalculateGroupLagWithStartOffsets(kadm.DescribedGroup{Group: g.Group}, all, o.starts, o.ends)
	for _, l := range lags.Sorted() {
		if l.Partition >= 0 && l.Topic != "" { // -1 stands for a topic that isn't there
			list = append(list, o.partition(l, members[l.Topic][l.Partition]))
		}
	}
	return list, nil
}

// concerned returns the partitions that members want or have, as yet without a
// commit, and who has them. kadm would do it for classic groups only.
func (o offsets) concerned(g Group) (kadm.OffsetResponses, map[string]map[int32]Member) {
	all := make(kadm.OffsetResponses)
	add := func(topic string, partition int32) {
		all.Add(kadm.OffsetResponse{Offset: kadm.Offset{Topic: topic, Partition: partition, At: -1}})
	}
	members := make(map[string]map[int32]Member)
	for _, m := range g.Members {
		for _, topic := range m.topics {
			for partition := range o.ends[topic] {
				add(topic, partition)
			}
		}
		m.assigned.Each(func(topic string, partition int32) {
			add(topic, partition)
			if members[topic] == nil {
				members[topic] = make(map[int32]Member)
			}
			members[topic][partition] = m
		})
	}
	return all, members
}

func (o offsets) partition(l kadm.GroupMemberLag, m Member) Partition {
	p := Partition{
		Topic: l.Topic, Partition: l.Partition,
		MemberID: m.ID, InstanceID: m.InstanceID, ClientID: m.ClientID, Host: m.Host,
	}
	if l.Commit.At >= 0 {
		p.Current = &l.Commit.At
	}
	if p.Gone = o.gone(l.Topic, l.Partition); p.Gone {
		return p
	}
	for _, err := range []error{l.Err, l.Start.Err} {
		if err != nil && p.Error == "" {
			p.Error = err.Error()
		}
	}
	if l.Start.Err == nil {
		p.Start = &l.Start.Offset
	}
	if l.End.Err == nil {
		p.End = &l.End.Offset
	}
	if p.Error != "" {
		return p
	}
	p.Lag = &l.Lag
	if p.Current != nil {
		p.Lost = max(*p.Start-*p.Current, 0)
		p.Beyond = max(*p.Current-*p.End, 0)
	}
	return p
}

// gone tells whether the cluster doesn't know the partition.
func (o offsets) gone(topic string, partition int32) bool {
	t := o.topics[topic]
	if t.Err != nil {
		return errors.Is(t.Err, kerr.UnknownTopicOrPartition)
	}
	_, ok := t.Partitions[partition]
	return !ok
}

// totalLag is the lag of all partitions whose lag is known.
func totalLag(partitions []Partition) int64 {
	var total int64
	for _, p := range partitions {
		if p.Lag != nil {
			total += *p.Lag
		}
	}
	return total
}
