package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A Seek says which offsets of a group go where.
type Seek struct {
	Group      string
	To         Target
	Saved      []Saved  // the offsets of a target that is a file
	Topics     []string // those that the group has committed when empty
	Partitions []int32  // of each topic; all when empty
	AllowNew   bool     // also topics that the group hasn't committed, and a group that doesn't exist
}

// A Move is a partition's committed offset before and after.
type Move struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Prior     *int64 `json:"prior_offset"` // null when nothing was committed
	New       int64  `json:"new_offset"`
	Start     int64  `json:"log_start_offset"`
	End       int64  `json:"log_end_offset"`
	Note      string `json:"note,omitempty"`
	Error     string `json:"error,omitempty"` // why it was not moved
}

func (m Move) changes() bool { return m.Prior == nil || *m.Prior != m.New }

// A Skip is a partition that a seek leaves as it is. Partition is -1 for all of a
// topic.
type Skip struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Reason    string `json:"reason"`
}

// A Plan is what a seek would do. The zero Plan does nothing.
type Plan struct {
	Group   string `json:"group"`
	Creates bool   `json:"creates_group"`
	Moves   []Move `json:"partitions"` // by topic and number
	Skips   []Skip `json:"skipped"`
}

// Empty tells whether all offsets are where they should go already.
func (p Plan) Empty() bool { return !slices.ContainsFunc(p.Moves, Move.changes) }

// Plan works out what the seek would do, and changes nothing. New offsets are never
// outside the log: what would be is set to its nearer end, with a note, as Kafka's own
// tool does; an offset beyond the end of every partition is refused, since it is
// likely a time. It fails when the group is live (*LiveError) or unknown, and when
// anything that was named isn't there.
func (s Seek) Plan(ctx context.Context, cl *kgo.Client) (Plan, error) {
	adm := kadm.NewClient(cl)
	p := Plan{Group: s.Group, Moves: []Move{}, Skips: []Skip{}}
	_, err := readIdle(ctx, adm, s.Group)
	var unknown *UnknownGroupError
	switch p.Creates = errors.As(err, &unknown); {
	case p.Creates && !s.AllowNew:
		return p, fmt.Errorf("%w; --allow-new-topics makes a new one", err)
	case err != nil && !p.Creates:
		return p, err
	}
	prior, err := committed(ctx, adm, s.Group)
	if err != nil {
		return p, err
	}
	w := planner{seek: s, plan: &p, cl: cl, adm: adm, prior: prior}
	if err := w.work(ctx); err != nil {
		return p, err
	}
	if len(p.Moves) == 0 {
		return p, s.nothing(p.Skips)
	}
	return p, nil
}

func (s Seek) nothing(skips []Skip) error {
	if len(skips) > 0 {
		first := skips[0]
		place := first.Topic
		if first.Partition >= 0 {
			place = fmt.Sprintf("%s[%d]", first.Topic, first.Partition)
		}
		return fmt.Errorf("no offset of group %q can be moved: %s: %s", s.Group, place, first.Reason)
	}
	if len(s.Topics) == 0 && s.To.Kind != ToGroup && s.To.Kind != ToFile {
		return fmt.Errorf("group %q has committed no offsets; name a topic with --topic, and give --allow-new-topics", s.Group)
	}
	return fmt.Errorf("there are no offsets to set: none of the target's is of the topics and partitions that were named")
}

// committed reads the offsets of a group; one that doesn't exist has none. Offsets
// that a transaction has not settled yet are an error: they might be overwritten.
func committed(ctx context.Context, adm *kadm.Client, group string) (kadm.Offsets, error) {
	found, err := adm.FetchOffsets(kadm.RequireStable(ctx), group)
	switch {
	case errors.Is(err, kerr.GroupIDNotFound):
		return nil, nil
	case err == nil:
		err = found.Error()
	}
	if errors.Is(err, kerr.UnstableOffsetCommit) {
		err = errors.New("a transaction that is still open commits offsets of it; wait until it ends")
	}
	if err != nil {
		return nil, fmt.Errorf("read committed offsets of group %q: %w", group, err)
	}
	delete(found, "") // a topic that was deleted, where brokers speak of topics by id only
	offsets := found.Offsets()
	offsets.DeleteFunc(func(o kadm.Offset) bool { return o.At < 0 })
	return offsets, nil
}

// A planner works out the moves of a seek.
type planner struct {
	seek  Seek
	plan  *Plan
	cl    *kgo.Client
	adm   *kadm.Client
	prior kadm.Offsets
}

func (w planner) work(ctx context.Context) error {
	switch w.seek.To.Kind {
	case ToFile:
		return w.toSaved(ctx, w.seek.Saved)
	case ToGroup:
		saved, err := w.ofGroup(ctx, w.seek.To.Name)
		if err != nil {
			return err
		}
		return w.toSaved(ctx, saved)
	default:
		return w.toPoint(ctx)
	}
}

// ofGroup are the offsets that another group has committed.
func (w planner) ofGroup(ctx context.Context, name string) ([]Saved, error) {
	if _, err := readNamed(ctx, w.adm, []string{name}); err != nil {
		return nil, err
	}
	offsets, err := committed(ctx, w.adm, name)
	if err != nil {
		return nil, err
	}
	var saved []Saved
	for _, o := range offsets.Sorted() {
		saved = append(saved, Saved{Topic: o.Topic, Partition: o.Partition, Offset: o.At})
	}
	if len(saved) == 0 {
		return nil, fmt.Errorf("group %q has committed no offsets", name)
	}
	return saved, nil
}

// toSaved moves to the saved offsets of the wanted topics and partitions. As in rpk
// these may be new to the group.
func (w planner) toSaved(ctx context.Context, saved []Saved) error {
	saved = slices.DeleteFunc(slices.Clone(saved), func(s Saved) bool {
		return len(w.seek.Topics) > 0 && !slices.Contains(w.seek.Topics, s.Topic) ||
			len(w.seek.Partitions) > 0 && !slices.Contains(w.seek.Partitions, s.Partition)
	})
	var topics []string
	for _, s := range saved {
		topics = append(topics, s.Topic)
	}
	logs, err := w.logs(ctx, topics, nil)
	if err != nil {
		return err
	}
	var missing []error
	for _, s := range saved {
		span, ok := logs[s.Topic][s.Partition]
		switch {
		case ok:
			w.move(s.Topic, s.Partition, s.Offset, span)
		case s.Where != "":
			missing = append(missing, fmt.Errorf("%s: topic %q has no partition %d", s.Where, s.Topic, s.Partition))
		case logs[s.Topic] != nil: // of a topic that is gone all is skipped already
			w.skip(s.Topic, s.Partition, "the topic has no such partition")
		}
	}
	return errors.Join(missing...)
}

// toPoint moves all wanted partitions to a place of the log, or by a shift.
func (w planner) toPoint(ctx context.Context) error {
	topics := w.seek.Topics
	if len(topics) == 0 {
		topics = w.prior.TopicsSet().Topics()
	}
	for _, topic := range w.seek.Topics {
		if _, ok := w.prior[topic]; !ok && !w.seek.AllowNew {
			return fmt.Errorf("group %q has committed no offsets of topic %q; give --allow-new-topics if that is meant", w.seek.Group, topic)
		}
	}
	logs, err := w.logs(ctx, topics, w.seek.Partitions)
	if err != nil || len(logs) == 0 {
		return err
	}
	goals := logs
	if w.seek.To.Kind == ToPoint && w.seek.To.Point.Kind == kafka.AtTime {
		spans, err := kafka.Range{From: w.seek.To.Point}.Resolve(ctx, w.cl, kafka.Resolving{Topics: logs.topics(), Partitions: w.seek.Partitions})
		if err != nil {
			return err
		}
		goals = logSpans(spans)
	}
	beyond := true
	logs.each(func(topic string, partition int32, log kafka.Span) {
		beyond = beyond && w.seek.To.Point.Kind == kafka.At && w.seek.To.Point.N > log.End
		w.toGoal(topic, partition, log, goals[topic][partition].From)
	})
	if n := w.seek.To.Point.N; beyond {
		return fmt.Errorf("offset %d is beyond the end of every partition; the end is --to end, a time is --to @%d", n, n)
	}
	return nil
}

// toGoal moves a partition; timed is the offset of the target's time.
func (w planner) toGoal(topic string, partition int32, log kafka.Span, timed int64) {
	prior, ok := w.prior.Lookup(topic, partition)
	switch {
	case w.seek.To.Kind == ToShift && !ok:
		w.skip(topic, partition, "nothing is committed to count from")
	case w.seek.To.Kind == ToShift:
		w.move(topic, partition, shifted(prior.At, w.seek.To.Shift), log)
	case w.seek.To.Point.Kind == kafka.At:
		w.move(topic, partition, w.seek.To.Point.N, log)
	case w.seek.To.Point.Kind == kafka.End:
		w.move(topic, partition, log.End, log)
	default:
		w.move(topic, partition, timed, log)
	}
}
