package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A member reads as one of a consumer group. The client's goroutines tell it what it
// is given and what is taken from it; between two polls it tells its consumer.
type member struct {
	tail     TailOptions
	consumer *consumer
	ready    chan struct{} // closed when consumer is set: the client joins before

	mu      sync.Mutex
	joined  bool      // partitions have been given
	idle    time.Time // when none were given instead
	changes []change
}

// unneeded is how long a member with an end waits for partitions: a group that has
// enough other members gives none, and one that makes room does so in two steps.
const unneeded = 10 * time.Second

// A change is a partition that is given to the member, or taken from it.
type change struct {
	topic     string
	partition int32
	span      Span // what to read of it
	taken     bool
}

// newMember returns nil if t names no group.
func (t TailOptions) newMember() *member {
	if t.Group == "" {
		return nil
	}
	return &member{tail: t, ready: make(chan struct{})}
}

func (m *member) opts() []kgo.Opt {
	if m == nil {
		return nil
	}
	start := kgo.NewOffset().AtStart()
	if m.tail.Range.From.Kind == End {
		start = kgo.NewOffset().AtEnd()
	}
	opts := []kgo.Opt{
		kgo.ConsumerGroup(m.tail.Group),
		kgo.ConsumeTopics(m.tail.Topics...),
		kgo.ConsumeStartOffset(start),
		kgo.AutoCommitMarks(),
		kgo.BlockRebalanceOnPoll(), // what is printed is committed before it is another's to read
		kgo.OnPartitionsAssigned(m.assigned),
		kgo.AdjustFetchOffsetsFn(m.given),
		kgo.OnPartitionsRevoked(m.revoked),
		kgo.OnPartitionsLost(m.taken),
	}
	if m.tail.Patterns != nil {
		texts := make([]string, len(m.tail.Patterns))
		for i, re := range m.tail.Patterns {
			texts[i] = re.String()
		}
		opts = append(opts, kgo.ConsumeRegex(), kgo.ConsumeTopics(texts...))
	}
	return opts
}

// read joins the group, reads, commits and leaves, also when ctx has ended.
func (m *member) read(ctx context.Context, cl *kgo.Client, emit func([]*kgo.Record) error) error {
	err := m.check(ctx, cl)
	if err != nil {
		return err
	}
	m.consumer = m.tail.newConsumer(cl)
	m.consumer.member, m.consumer.ends = m, m.tail.bounded()
	close(m.ready)
	err = m.consumer.run(ctx, counted(m.tail.Num, m.committing(cl, emit)))

	leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), clientTimeout(cl))
	defer cancel()
	cl.AllowRebalance()
	left := errors.Join(cl.CommitMarkedOffsets(leaving), cl.LeaveGroupContext(leaving))
	if left != nil {
		left = fmt.Errorf("leave group %q: %w", m.tail.Group, left)
	}
	if errors.Is(err, errEnough) {
		return left
	}
	return errors.Join(err, left)
}

// check fails for topics that don't exist: the client would wait for them.
func (m *member) check(ctx context.Context, cl *kgo.Client) error {
	var err error
	if m.tail.Patterns != nil {
		_, err = matching(ctx, cl, m.tail.Patterns)
	} else {
		_, err = partitionsOf(ctx, cl, m.tail.Topics)
	}
	return err
}

// committing marks what was emitted, and flushed, to be committed.
func (m *member) committing(cl *kgo.Client, emit func([]*kgo.Record) error) func([]*kgo.Record) error {
	return func(records []*kgo.Record) error {
		if err := emit(records); err != nil {
			return err
		}
		if m.tail.Idle != nil {
			if err := m.tail.Idle(); err != nil {
				return err
			}
		}
		cl.MarkCommitRecords(records...)
		return nil
	}
}

// passed marks the places up to where they are: also what isn't emitted is done with.
func (m *member) passed(cl *kgo.Client, places []*place) {
	marks := make(map[string]map[int32]kgo.EpochOffset)
	for _, pl := range places {
		next := pl.next
		if pl.span.To >= 0 {
			next = min(next, pl.span.To)
		}
		put(marks, pl.topic, pl.partition, kgo.EpochOffset{Epoch: pl.epoch, Offset: next})
	}
	cl.MarkCommitOffsets(marks)
}

func (m *member) assigned(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(partitions) == 0 && m.idle.IsZero() {
		m.idle = time.Now()
	}
}

// given is called by the client with the offsets at which the group is in the
// partitions that it gives to the member: negative where it has been nowhere yet.
func (m *member) given(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	select {
	case <-m.ready:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	spans, err := m.spans(ctx, offsets)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.joined = m.joined || len(spans) > 0
	for topic, spans := range spans {
		for p, span := range spans {
			offsets[topic][p] = kgo.NewOffset().At(min(span.From, span.End))
			m.changes = append(m.changes, change{topic: topic, partition: p, span: span})
		}
	}
	return offsets, nil
}

func (m *member) spans(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (Spans, error) {
	topics := make([]string, 0, len(offsets))
	for topic := range offsets {
		topics = append(topics, topic)
	}
	spans := make(Spans)
	if len(topics) == 0 {
		return spans, nil
	}
	listed, err := m.tail.Range.list(ctx, kadm.NewClient(m.consumer.cl), Resolving{Topics: topics, ReadCommitted: m.tail.ReadCommitted})
	if err != nil {
		return nil, err
	}
	var end Point
	if m.tail.bounded() {
		end.Kind = End
	}
	for topic, offsets := range offsets {
		for p, offset := range offsets {
			b, err := listed.at(topic, p)
			if err != nil {
				return nil, err
			}
			from := m.tail.Range.From
			if at := offset.EpochOffset().Offset; at >= 0 {
				from = Point{Kind: At, N: at}
			}
			put(spans, topic, p, b.span(from, end))
		}
	}
	return spans, nil
}

func (m *member) revoked(ctx context.Context, cl *kgo.Client, partitions map[string][]int32) {
	if err := cl.CommitMarkedOffsets(ctx); err != nil && ctx.Err() == nil {
		m.tail.Trouble(fmt.Errorf("commit to group %q: %w", m.tail.Group, err))
	}
	m.taken(ctx, cl, partitions)
}

func (m *member) taken(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for topic, taken := range partitions {
		for _, p := range taken {
			m.changes = append(m.changes, change{topic: topic, partition: p, taken: true})
		}
	}
}

// update brings the consumer's places up to date. It returns whether the member has
// been given anything yet, or need not wait for it any longer.
func (m *member) update() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.consumer
	for _, change := range m.changes {
		if pl := c.places[change.topic][change.partition]; pl != nil {
			if !pl.done {
				c.open--
			}
			delete(c.places[change.topic], change.partition)
		}
		if change.taken {
			continue
		}
		one := map[string][]int32{change.topic: {change.partition}}
		c.cl.ResumeFetchPartitions(one)
		if c.begin(change.topic, change.partition, change.span).done {
			c.cl.PauseFetchPartitions(one)
		}
	}
	m.changes = nil
	return m.joined || !m.idle.IsZero() && time.Since(m.idle) > unneeded
}

// outlived tells whether the group goes on although a session of it has failed: the
// client joins again.
func outlived(err error) bool {
	var session *kgo.ErrGroupSession
	if !errors.As(err, &session) {
		return false
	}
	for _, passing := range []*kerr.Error{
		kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.FencedMemberEpoch, kerr.StaleMemberEpoch,
	} {
		if errors.Is(err, passing) {
			return true
		}
	}
	return kerr.IsRetriable(err) || kgo.IsRetryableBrokerErr(err) || errors.Is(err, context.DeadlineExceeded)
}
