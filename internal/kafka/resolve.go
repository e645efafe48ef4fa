package kafka

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Span is the part of one partition that a Range means: the offsets from From, up
// to but without To. To is -1 when it has no end. End is where the partition ended
// when the range was resolved; From may lie behind it.
type Span struct {
	From, To, End int64
}

// Spans hold a Span by topic and partition.
type Spans map[string]map[int32]Span

// put sets the value of a partition.
func put[V any](m map[string]map[int32]V, topic string, partition int32, v V) {
	if m[topic] == nil {
		m[topic] = make(map[int32]V)
	}
	m[topic][partition] = v
}

// Resolving says which partitions a Range is resolved for, and how.
type Resolving struct {
	Topics        []string
	Partitions    []int32 // of each topic; all when empty
	Bounded       bool    // give a range without an end the present end
	ReadCommitted bool    // the end is the last stable offset, not the high watermark
}

// Resolve turns the range into the offsets of each partition, as rpk does: From is
// at least the partition's start, To at most its present end, so that a range with
// an end can always be read to it. A partition without records in the range has a
// Span whose To isn't after From. A topic that doesn't exist is an
// *UnknownTopicError.
func (r Range) Resolve(ctx context.Context, cl *kgo.Client, how Resolving) (Spans, error) {
	found, err := partitionsOf(ctx, cl, how.Topics)
	if err != nil {
		return nil, err
	}
	if err := choose(found, how.Partitions); err != nil {
		return nil, err
	}
	listed, err := r.list(ctx, kadm.NewClient(cl), how)
	if err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	to := r.To
	if to.Kind == Open && how.Bounded {
		to.Kind = End
	}
	spans := make(Spans, len(found))
	for topic, partitions := range found {
		spans[topic] = make(map[int32]Span, len(partitions))
		for _, p := range partitions {
			l, err := listed.at(topic, p)
			if err != nil {
				return nil, err
			}
			spans[topic][p] = l.span(r.From, to)
		}
	}
	return spans, nil
}

// choose keeps only the wanted partitions of found.
func choose(found map[string][]int32, wanted []int32) error {
	if len(wanted) == 0 {
		return nil
	}
	for topic, has := range found {
		for _, p := range wanted {
			if !slices.Contains(has, p) {
				return fmt.Errorf("topic %q has no partition %d: its %d partitions count from 0", topic, p, len(has))
			}
		}
		found[topic] = wanted
	}
	return nil
}

// listings are the answers to the ListOffsets requests that a range needs.
type listings struct {
	start, end, from, to kadm.ListedOffsets
}

func (r Range) list(ctx context.Context, adm *kadm.Client, how Resolving) (listings, error) {
	listEnd := adm.ListEndOffsets
	if how.ReadCommitted {
		listEnd = adm.ListCommittedOffsets
	}
	var l listings
	var errs [4]error
	l.start, errs[0] = adm.ListStartOffsets(ctx, how.Topics...)
	l.end, errs[1] = listEnd(ctx, how.Topics...)
	if r.From.Kind == AtTime {
		l.from, errs[2] = adm.ListOffsetsAfterMilli(ctx, r.From.N, how.Topics...)
	}
	if r.To.Kind == AtTime {
		l.to, errs[3] = adm.ListOffsetsAfterMilli(ctx, r.To.N, how.Topics...)
	}
	return l, errors.Join(errs[:]...)
}

// bounds are a partition's start and end, and the offsets of the range's times.
type bounds struct {
	start, end, from, to int64
}

func (l listings) at(topic string, partition int32) (bounds, error) {
	var (
		b    bounds
		errs [4]error
	)
	for i, part := range []struct {
		listed kadm.ListedOffsets
		offset *int64
	}{{l.start, &b.start}, {l.end, &b.end}, {l.from, &b.from}, {l.to, &b.to}} {
		if part.listed == nil {
			continue
		}
		o, ok := part.listed.Lookup(topic, partition)
		if !ok {
			errs[i] = errors.New("the cluster left it out of its answer")
			continue
		}
		*part.offset, errs[i] = o.Offset, o.Err
	}
	if err := errors.Join(errs[:]...); err != nil {
		return b, fmt.Errorf("list offsets of %s[%d]: %w", topic, partition, err)
	}
	return b, nil
}

func (b bounds) span(from, to Point) Span {
	s := Span{From: max(b.offset(from, b.from), b.start), To: -1, End: b.end}
	if to.Kind != Open {
		s.To = min(b.offset(to, b.to), b.end)
	}
	return s
}

// offset is where the point lies; timed is the offset that its time was listed at.
func (b bounds) offset(p Point, timed int64) int64 {
	switch p.Kind {
	case End:
		return b.end
	case At:
		return p.N
	case AfterStart:
		if p.N > math.MaxInt64-b.start {
			return math.MaxInt64
		}
		return b.start + p.N
	case BeforeEnd:
		return b.end - min(p.N, b.end)
	case AtTime:
		return timed
	default:
		return b.start
	}
}
