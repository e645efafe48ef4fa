package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ReplayOptions say which records are produced again, and where.
type ReplayOptions struct {
	From       Options
	Topic      string
	Partitions []int32 // all when empty
	Range      Range   // one without an end gets the present end

	To      Options // From when it names no broker
	ToTopic string  // Topic when empty

	// Uncommitted replays records of open and aborted transactions too.
	Uncommitted bool

	// Keep, if set, tells which records of the range are replayed. KeepText says
	// the same in words: a replay is resumed only with the words that it began with.
	Keep     func(*kgo.Record) bool
	KeepText string

	Rate   float64 // records a second; 0 is no limit
	DryRun bool    // Run is not going to be called: leave the state file alone

	// StateFile is where the progress is kept until all is done; "" keeps none.
	// Resume goes on with the replay that it holds, Restart forgets that one.
	StateFile       string
	Resume, Restart bool

	// Progress, if set, is called about once a second.
	Progress func(ReplayState)

	// Trouble, if set, is told as in TailOptions.
	Trouble func(error)

	// Patience is how long Run waits while nothing is acknowledged; a minute when 0.
	Patience time.Duration
}

// A Replay is a part of a topic that is about to be produced again: with the keys,
// values, headers and timestamps that it has, and each partition in its order.
//
// What is replayed is fixed when it is opened, so a topic can be replayed into
// itself. A record stays on the partition of its number where the target has at
// least as many partitions as the source; else its key decides, as in Produce, and
// without a key its partition modulo theirs. Two headers are appended, see
// ReplayIDHeader; nothing else is changed. Transaction markers and other control
// records are never replayed, tombstones and empty keys are.
//
// Delivery is at least once: after a crash, what was sent since the state was last
// written (a second, at most) comes again, with the same id and origin. It holds
// what is in flight in memory, some tens of MB, whatever the size of the topic.
type Replay struct {
	o        ReplayOptions
	tail     TailOptions
	src, dst *kgo.Client
	state    ReplayState
	from, to side
	maxBatch int32 // bytes, of the target topic
	lock     *stateLock
}

// A side is a topic of a cluster.
type side struct {
	ReplayEnd
	brokers    map[string]bool // addresses
	partitions []int32
}

// OpenReplay connects to both clusters and fixes what is to be replayed. It fails
// with an *UnknownTopicError where one of the topics doesn't exist (it creates
// none), with ErrUnfinished when the state file holds a replay and o says neither
// Resume nor Restart, and with ErrNothingToResume when it holds none.
func OpenReplay(ctx context.Context, o ReplayOptions) (_ *Replay, err error) {
	if len(o.To.Brokers) == 0 {
		o.To = o.From
	}
	o.ToTopic = cmp.Or(o.ToTopic, o.Topic)
	o.Patience = cmp.Or(o.Patience, time.Minute)
	o.Trouble = oneAtATime(o.Trouble)
	r := &Replay{o: o, tail: TailOptions{
		Topics: []string{o.Topic}, Partitions: o.Partitions, Range: o.Range,
		ExitAtEnd: true, ReadCommitted: !o.Uncommitted, Trouble: o.Trouble,
	}}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	if err := r.takeState(); err != nil {
		return nil, err
	}
	if r.o.Resume {
		return r, r.check()
	}
	return r, r.plan(ctx)
}

// Close ends the connections. Progress was written by Run.
func (r *Replay) Close() {
	for _, cl := range []*kgo.Client{r.src, r.dst} {
		if cl != nil {
			cl.Close()
		}
	}
	r.lock.release()
}

// State is what is replayed, and how far that is.
func (r *Replay) State() ReplayState {
	s := r.state
	s.Partitions = slices.Clone(s.Partitions)
	return s
}

// Same tells whether the records go into the topic that they come from. Brokers of
// one cluster id count as one cluster if they have an address in common.
func (r *Replay) Same() bool {
	if r.from.Cluster != r.to.Cluster || r.from.Topic != r.to.Topic {
		return false
	}
	for addr := range r.from.brokers {
		if r.to.brokers[addr] {
			return true
		}
	}
	return false
}

// The client buffers are small on purpose: they are what a replay holds in memory.
const (
	replayFetch    = 2 << 20 // bytes of a fetch, compressed
	replayInFlight = 4 << 20 // bytes that are not acknowledged

	usualBatch   = 1_000_012 // bytes: Kafka's default limit, and that of the client
	largestBatch = 32 << 20
)

func (r *Replay) connect(ctx context.Context) (err error) {
	seen := &watch{trouble: r.o.Trouble}
	r.maxBatch = usualBatch
	source := append(r.tail.clientOpts(), kgo.WithHooks(seen), kgo.FetchMaxBytes(replayFetch),
		kgo.FetchMaxPartitionBytes(replayFetch/2), kgo.MaxConcurrentFetches(2))
	target := []kgo.Opt{
		kgo.WithHooks(seen), kgo.MaxBufferedBytes(replayInFlight), kgo.RecordPartitioner(r.partitioner()),
		kgo.ProducerBatchMaxBytesFn(func(string) int32 { return r.maxBatch }),
	}
	if r.src, r.from, err = connectSide(ctx, r.o.From, r.o.Topic, source); err != nil {
		return err
	}
	if r.dst, r.to, err = connectSide(ctx, r.o.To, r.o.ToTopic, target); err != nil {
		return fmt.Errorf("replay to %q: %w", r.o.ToTopic, err)
	}
	seen.arm()
	r.maxBatch = batchLimit(ctx, r.dst, r.o.ToTopic)
	return nil
}

func connectSide(ctx context.Context, o Options, topic string, opts []kgo.Opt) (*kgo.Client, side, error) {
	cl, err := NewClient(o, opts...)
	if err != nil {
		return nil, side{}, err
	}
	if err := Reach(ctx, cl, o.Timeout); err != nil {
		return cl, side{}, err
	}
	s, err := readSide(ctx, cl, topic)
	return cl, s, err
}

func readSide(ctx context.Context, cl *kgo.Client, topic string) (side, error) {
	found, err := partitionsOf(ctx, cl, []string{topic})
	if err != nil {
		return side{}, err
	}
	resp, err := metadata(ctx, cl, []string{topic})
	if err != nil {
		return side{}, err
	}
	s := side{ReplayEnd: ReplayEnd{Topic: topic}, brokers: make(map[string]bool), partitions: found[topic]}
	if resp.ClusterID != nil {
		s.Cluster = *resp.ClusterID
	}
	for _, t := range resp.Topics {
		s.TopicID = uuid.UUID(t.TopicID).String()
	}
	for _, b := range resp.Brokers {
		s.brokers[addressOf(b)] = true
	}
	return s, nil
}

func addressOf(b kmsg.MetadataResponseBroker) string { return fmt.Sprintf("%s:%d", b.Host, b.Port) }

// batchLimit is the largest batch that the topic takes, within reason: a record that
// the source took is to be taken again. It is the client's default where the
// cluster doesn't tell.
func batchLimit(ctx context.Context, cl *kgo.Client, topic string) int32 {
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return usualBatch
	}
	for _, c := range configs {
		for _, config := range c.Configs {
			if config.Key != "max.message.bytes" {
				continue
			}
			if n, err := strconv.ParseInt(config.MaybeValue(), 10, 64); err == nil && n > 0 {
				return int32(min(n, largestBatch))
			}
		}
	}
	return usualBatch
}

// partitioner keeps partitions, or chooses them so that the records of a key, and
// those of a partition without keys, stay together and in order.
func (r *Replay) partitioner() kgo.Partitioner {
	hash := kgo.SaramaCompatHasher(fnv1a)
	return kgo.BasicConsistentPartitioner(func(string) func(*kgo.Record, int) int {
		return func(rec *kgo.Record, n int) int {
			switch {
			case r.state.KeepsPartitions:
				return int(rec.Partition)
			case rec.Key == nil:
				return int(rec.Partition) % n
			default:
				return hash(rec.Key, n)
			}
		}
	})
}

// plan makes the state of a replay that begins now.
func (r *Replay) plan(ctx context.Context) error {
	spans, err := r.o.Range.Resolve(ctx, r.src, r.tail.resolving())
	if err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make a replay id: %w", err)
	}
	r.state = ReplayState{
		Kind: replayKind, Version: 1, ID: id.String(), Begun: time.Now().UTC().Truncate(time.Millisecond),
		Source: r.from.ReplayEnd, Target: r.to.ReplayEnd,
		Range: r.o.Range.String(), Keep: r.o.KeepText, Uncommitted: r.o.Uncommitted,
		KeepsPartitions: len(r.to.partitions) >= len(r.from.partitions),
	}
	partitions := spans[r.o.Topic]
	for _, p := range slices.Sorted(maps.Keys(partitions)) {
		s := partitions[p]
		s.To = max(s.To, s.From)
		r.state.Partitions = append(r.state.Partitions, ReplayPartition{Partition: p, From: s.From, To: s.To, Next: s.From})
	}
	return nil
}

// check compares a replay that is to be resumed with what was asked for, and with
// the topics as they are now.
func (r *Replay) check() error {
	s := r.state
	for _, was := range []struct {
		what, then, now string
	}{
		{"source topic", s.Source.Topic, r.from.Topic},
		{"target topic", s.Target.Topic, r.to.Topic},
		{"cluster of the source", s.Source.Cluster, r.from.Cluster},
		{"cluster of the target", s.Target.Cluster, r.to.Cluster},
		{"filter", s.Keep, r.o.KeepText},
		{"isolation", isolationText(s.Uncommitted), isolationText(r.o.Uncommitted)},
	} {
		if was.then != was.now {
			return fmt.Errorf("can't resume: the %s was %q when the replay began, and is %q now", was.what, was.then, was.now)
		}
	}
	if s.Source.TopicID != r.from.TopicID || s.Target.TopicID != r.to.TopicID {
		return errors.New("can't resume: a topic was deleted and created again since the replay began")
	}
	return nil
}

func isolationText(uncommitted bool) string {
	if uncommitted {
		return "uncommitted"
	}
	return "committed"
}
