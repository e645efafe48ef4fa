package groups

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/todoctl/todoctl/internal/kafka"
)

// logSpans are the logs of partitions, from their start to their end.
type logSpans kafka.Spans

func (l logSpans) topics() []string { return slices.Sorted(maps.Keys(l)) }

// each calls do for every partition, by topic and number.
func (l logSpans) each(do func(topic string, partition int32, log kafka.Span)) {
	for _, topic := range l.topics() {
		for _, p := range slices.Sorted(maps.Keys(l[topic])) {
			do(topic, p, l[topic][p])
		}
	}
}

// logs reads where the partitions begin and end. A topic that doesn't exist is skipped,
// unless it was named: then it is a *kafka.UnknownTopicError.
func (w planner) logs(ctx context.Context, topics []string, partitions []int32) (logSpans, error) {
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	if len(topics) == 0 {
		return nil, nil
	}
	details, err := w.adm.ListTopicsWithInternal(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	var there []string
	for _, topic := range topics {
		gone := kafka.Absent(details[topic].Err)
		switch {
		case !gone:
			there = append(there, topic)
		case w.named(topic):
			return nil, kafka.Unknown(ctx, w.cl, topic)
		default:
			w.skip(topic, -1, "the topic doesn't exist any more")
		}
	}
	if len(there) == 0 {
		return nil, nil
	}
	spans, err := kafka.Range{From: kafka.Point{Kind: kafka.Start}}.Resolve(ctx, w.cl, kafka.Resolving{Topics: there, Partitions: partitions})
	return logSpans(spans), err
}

// named tells whether the topic was named by --topic or in a file.
func (w planner) named(topic string) bool {
	return slices.Contains(w.seek.Topics, topic) ||
		slices.ContainsFunc(w.seek.Saved, func(s Saved) bool { return s.Topic == topic })
}

func (w planner) skip(topic string, partition int32, reason string) {
	w.plan.Skips = append(w.plan.Skips, Skip{Topic: topic, Partition: partition, Reason: reason})
}

// move plans a move that stays within the log.
func (w planner) move(topic string, partition int32, to int64, log kafka.Span) {
	m := Move{Topic: topic, Partition: partition, New: to, Start: log.From, End: log.End}
	if prior, ok := w.prior.Lookup(topic, partition); ok {
		m.Prior = &prior.At
	}
	switch {
	case to < m.Start:
		m.New, m.Note = m.Start, fmt.Sprintf("%d is before the start of the log", to)
	case to > m.End:
		m.New, m.Note = m.End, fmt.Sprintf("%d is beyond the end of the log", to)
	}
	at, _ := slices.BinarySearchFunc(w.plan.Moves, m, func(a, b Move) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	w.plan.Moves = slices.Insert(w.plan.Moves, at, m)
}

// shifted is offset + by without an overflow.
func shifted(offset, by int64) int64 {
	if by > 0 && offset > math.MaxInt64-by {
		return math.MaxInt64
	}
	return offset + by
}
