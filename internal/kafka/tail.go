package kafka

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TailOptions say what Tail reads, and when it ends.
type TailOptions struct {
	Topics     []string
	Patterns   []*regexp.Regexp // in place of Topics: all that one of them matches; a follower looks for new ones
	Partitions []int32          // of each topic; all when empty
	Range      Range            // per partition; not used when Last is set
	Last       int              // begin with the last records, this many in all, then follow
	Num        int64            // end after this many records in all; 0 is no limit
	ExitAtEnd  bool             // end where the partitions end now; so do a range with an end and a filter with an Until
	Filter     Filter           // what isn't wanted isn't emitted and doesn't count for Last and Num

	// Group is a consumer group to read as a member of: from where the group is, or
	// where it has been nowhere yet, from Range.From, which is Start or End.
	// Partitions and Last aren't used. What was emitted is committed, after Idle:
	// before a partition goes to another member, every five seconds, and when Tail
	// returns, which also leaves the group.
	Group string

	// ReadCommitted leaves out records of open and aborted transactions, and ends
	// where the oldest open transaction begins.
	ReadCommitted bool

	// Refresh is how often a follower looks for added partitions and deleted
	// topics; 10 s when 0. An added partition is read from its start, unless
	// Partitions were named.
	Refresh time.Duration

	// Resolved, if set, is called before anything is read, with what Range comes to,
	// and may change the spans, each partition's by itself; a span that has an end
	// must keep one. Its error ends Tail. With Last it isn't called.
	Resolved func(ctx context.Context, cl *kgo.Client, spans Spans) error

	// Idle, if set, is called when all that had arrived was emitted and Tail is
	// about to wait for more, and with a group after every batch: the moment to
	// flush. It isn't called before Tail returns.
	Idle func() error

	// Seen, if set, is told how many records have been read, wanted or not.
	Seen func(records int)

	// Trouble, if set, is told once when a broker stops answering or has lost
	// records, none of which ends a follower, and gets nil once a broker answers
	// again. It is called from other goroutines than Tail's, but never twice at a time.
	Trouble func(error)
}

// Tail reads the partitions of topics directly, or as a member of t.Group, and hands
// the records to emit in batches, until the end that t asks for, or until ctx ends or
// emit fails. It returns nil at its own end, else the error that stopped it.
//
// A batch is what was at hand of all partitions, ordered by time as far as the
// partitions' own order allows. The slice is emit's until it returns, the records for
// as long as it likes.
//
// Ends are compared with positions, not with records: transaction markers, gaps
// that compaction left, records deleted meanwhile and empty partitions don't keep
// it waiting. A follower outlives its brokers: when one is back it goes on where it
// was. If a broker has lost records, the last minute before the loss may come again.
// The first contact is bounded as in Reach; an unknown topic is an
// *UnknownTopicError.
func Tail(ctx context.Context, o Options, t TailOptions, emit func([]*kgo.Record) error, extra ...kgo.Opt) error {
	t.Trouble = oneAtATime(t.Trouble)
	w := &watch{trouble: t.Trouble}
	m := t.newMember()
	cl, err := NewClient(o, slices.Concat(t.clientOpts(), m.opts(), []kgo.Opt{kgo.WithHooks(w)}, extra)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := Reach(ctx, cl, o.Timeout); err != nil {
		return err
	}
	w.arm()
	if m != nil {
		err = m.read(ctx, cl, emit)
	} else {
		err = t.read(ctx, cl, counted(t.Num, emit))
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

// What one fetch may hold: several at once, unpacked, and the records made of them are
// to stay well under 100 MB.
const (
	fetchBytes     = 4 << 20
	partitionBytes = 1 << 20
)

func (t TailOptions) clientOpts() []kgo.Opt {
	// A fetch waits on the broker in front of a probe, and of added partitions.
	wait := time.Second
	if t.bounded() {
		wait = settle
	}
	opts := []kgo.Opt{
		kgo.FetchMaxWait(wait),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(partitionBytes),
	}
	if t.bounded() || t.Last > 0 || t.Group != "" {
		opts = append(opts, kgo.KeepControlRecords()) // a marker may be the last thing before the end
	}
	if t.ReadCommitted {
		opts = append(opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	}
	return opts
}

func (t TailOptions) bounded() bool {
	return t.ExitAtEnd || t.Range.To.Kind != Open || !t.Filter.Until.IsZero()
}

func (t TailOptions) read(ctx context.Context, cl *kgo.Client, emit func([]*kgo.Record) error) error {
	if t.Patterns != nil {
		topics, err := matching(ctx, cl, t.Patterns)
		if err != nil {
			return err
		}
		t.Topics = topics
	}
	if t.Last > 0 {
		return t.readLast(ctx, cl, emit)
	}
	spans, err := t.Range.Resolve(ctx, cl, t.resolving())
	if err != nil {
		return err
	}
	if t.Resolved != nil {
		if err := t.Resolved(ctx, cl, spans); err != nil {
			return err
		}
	}
	return t.consume(ctx, cl, spans, emit)
}

func (t TailOptions) resolving() Resolving {
	return Resolving{
		Topics: t.Topics, Partitions: t.Partitions,
		Bounded: t.bounded(), ReadCommitted: t.ReadCommitted,
	}
}

func (t TailOptions) readLast(ctx context.Context, cl *kgo.Client, emit func([]*kgo.Record) error) error {
	how := t.resolving()
	how.Bounded = true
	spans, err := Range{}.Resolve(ctx, cl, how)
	if err != nil {
		return err
	}
	records, err := t.last(ctx, cl, spans)
	if err != nil {
		return err
	}
	if len(records) > 0 {
		if err := emit(records); err != nil {
			return err
		}
	}
	if t.bounded() {
		return nil
	}
	for _, spans := range spans {
		for p, s := range spans {
			spans[p] = Span{From: s.End, To: -1, End: s.End}
		}
	}
	return t.consume(ctx, cl, spans, emit)
}

// oneAtATime lets the client's goroutines and Tail's share trouble.
func oneAtATime(trouble func(error)) func(error) {
	if trouble == nil {
		return func(error) {}
	}
	var mu sync.Mutex
	return func(err error) {
		mu.Lock()
		defer mu.Unlock()
		trouble(err)
	}
}

// errEnough says that as many records were emitted as asked for.
var errEnough = errors.New("enough records")

// counted passes limit records on to emit, then fails with errEnough.
func counted(limit int64, emit func([]*kgo.Record) error) func([]*kgo.Record) error {
	if limit <= 0 {
		return emit
	}
	left := limit
	return func(records []*kgo.Record) error {
		records = records[:min(int64(len(records)), left)]
		left -= int64(len(records))
		if err := emit(records); err != nil {
			return err
		}
		if left == 0 {
			return errEnough
		}
		return nil
	}
}
