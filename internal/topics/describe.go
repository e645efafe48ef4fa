package topics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A Summary is a topic in a list.
type Summary struct {
	Topic             string `json:"topic"`
	Internal          bool   `json:"internal"`
	Partitions        int    `json:"partitions"`
	ReplicationFactor int16  `json:"replication_factor"`
	CleanupPolicy     string `json:"cleanup_policy"`
	RetentionMS       string `json:"retention_ms"`
	RetentionBytes    string `json:"retention_bytes"` // of a partition
	Retention         string `json:"retention"`       // the three in words
	UnderReplicated   int    `json:"under_replicated"`
	Offline           int    `json:"offline"` // partitions without a leader
}

// A Partition is a partition of a topic. Start, End and Size are set by Describe and
// Inspect only: the offset of its first record, and the one behind its last, -1 when
// no leader tells; and how many bytes one copy takes on disk, nil when no broker does.
type Partition struct {
	Partition int32   `json:"partition"`
	Leader    int32   `json:"leader"` // -1 when there is none
	Replicas  []int32 `json:"replicas"`
	ISR       []int32 `json:"isr"` // in-sync replicas
	Offline   []int32 `json:"offline_replicas"`
	Start     int64   `json:"start_offset"`
	End       int64   `json:"end_offset"`
	Size      *int64  `json:"size_bytes"`
}

// Records is how many records the topic holds; known is false when some partition
// doesn't tell, and then there may be more. Where records were compacted away or
// belong to transactions it is an upper bound.
func (d Description) Records() (n int64, known bool) {
	known = true
	for _, p := range d.Details {
		if p.Start < 0 || p.End < 0 {
			known = false
			continue
		}
		n += p.End - p.Start
	}
	return n, known
}

// A Description is all there is to know of a topic. Inspect alone sets the size, of
// one copy of each partition, and the readers; both are nil when they aren't known.
type Description struct {
	Summary
	Details      []Partition `json:"partition_details"`
	Configs      []Config    `json:"configs"` // by key
	Size         *int64      `json:"size_bytes"`
	Readers      []Reader    `json:"groups"`
	ReadersError string      `json:"groups_error,omitempty"` // why they aren't known
}

func summary(name string, t Topic) Summary {
	policy, ms, bytes := t.Configs["cleanup.policy"].Value, t.Configs["retention.ms"].Value, t.Configs["retention.bytes"].Value
	s := Summary{
		Topic: name, Internal: t.Internal,
		Partitions: len(t.Partitions), ReplicationFactor: t.replicationFactor(),
		CleanupPolicy: policy, RetentionMS: ms, RetentionBytes: bytes, Retention: keeps(policy, ms, bytes),
	}
	for _, p := range t.Partitions {
		if p.underReplicated() {
			s.UnderReplicated++
		}
		if p.offline() {
			s.Offline++
		}
	}
	return s
}

// List returns the topics of the cluster by name, those internal to Kafka only on
// demand. It makes two requests.
func List(ctx context.Context, cl *kgo.Client, internal bool) ([]Summary, error) {
	st, err := read(ctx, cl, nil, []string{"cleanup.policy", "retention.ms", "retention.bytes"})
	if err != nil {
		return nil, err
	}
	list := []Summary{}
	for _, name := range slices.Sorted(maps.Keys(st.Topics)) {
		if t := st.Topics[name]; internal || !t.Internal {
			list = append(list, summary(name, t))
		}
	}
	return list, nil
}

// Inspect is Describe with all that takes further requests: sizes on disk, and the
// groups that read the topics. Each takes at most 5 s and stays unknown when it fails.
func Inspect(ctx context.Context, cl *kgo.Client, names []string) ([]Description, error) {
	list, err := Describe(ctx, cl, names)
	if err != nil || len(list) == 0 {
		return list, err
	}
	readSizes(ctx, cl, list)
	readReaders(ctx, cl, list)
	return list, ctx.Err()
}

// Describe returns the named topics in the order of the names. One that doesn't
// exist is a *kafka.UnknownTopicError.
func Describe(ctx context.Context, cl *kgo.Client, names []string) ([]Description, error) {
	st, err := Read(ctx, cl, names)
	if err != nil {
		return nil, err
	}
	return st.Describe(ctx, cl, names)
}

// Describe is the function of that name for a state that was read of these names.
func (st State) Describe(ctx context.Context, cl *kgo.Client, names []string) ([]Description, error) {
	var unknown []error
	for _, name := range names {
		if _, ok := st.Topics[name]; !ok {
			known := slices.Sorted(maps.Keys(st.Topics))
			unknown = append(unknown, &kafka.UnknownTopicError{Topic: name, Nearest: kafka.Nearest(name, append(known, st.Others...))})
		}
	}
	if len(unknown) > 0 {
		return nil, errors.Join(unknown...)
	}
	if err := st.readOffsets(ctx, cl, names); err != nil {
		return nil, err
	}
	list := make([]Description, len(names))
	for i, name := range names {
		t := st.Topics[name]
		list[i] = Description{Summary: summary(name, t), Details: t.Partitions, Configs: slices.Collect(maps.Values(t.Configs))}
		slices.SortFunc(list[i].Configs, func(a, b Config) int { return cmp.Compare(a.Key, b.Key) })
	}
	return list, nil
}

func (st State) readOffsets(ctx context.Context, cl *kgo.Client, names []string) error {
	if len(names) == 0 {
		return nil
	}
	adm := kadm.NewClient(cl)
	starts, startErr := adm.ListStartOffsets(ctx, names...)
	ends, endErr := adm.ListEndOffsets(ctx, names...)
	for _, err := range []error{startErr, endErr} {
		var some *kadm.ShardErrors // of partitions without a leader, and of brokers that are away
		if err != nil && !errors.As(err, &some) {
			return fmt.Errorf("list offsets: %w", err)
		}
	}
	for _, name := range names {
		partitions := st.Topics[name].Partitions
		for i, p := range partitions {
			partitions[i].Start, partitions[i].End = listed(starts, name, p.Partition), listed(ends, name, p.Partition)
		}
	}
	return nil
}

func listed(offsets kadm.ListedOffsets, topic string, partition int32) int64 {
	o, ok := offsets.Lookup(topic, partition)
	if !ok || o.Err != nil {
		return -1
	}
	return o.Offset
}
