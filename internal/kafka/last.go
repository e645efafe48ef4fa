package kafka

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// last returns the last t.Last wanted records of the spans in all: merged by time, and
// never against the order of a partition.
func (t TailOptions) last(ctx context.Context, cl *kgo.Client, spans Spans) ([]*kgo.Record, error) {
	silent := t // what is collected here was not emitted: nothing to flush
	silent.Idle = nil
	var sequences [][]*kgo.Record
	found := make(map[string]map[int32][]*kgo.Record)
	for width := int64(t.Last); len(spans) > 0; width *= 4 {
		window, older := ending(spans, width), make(map[string]map[int32][]*kgo.Record)
		err := silent.consume(ctx, cl, window, func(records []*kgo.Record) error {
			for _, r := range records {
				put(older, r.Topic, r.Partition, newest(append(older[r.Topic][r.Partition], detached(r)), t.Last))
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		// Gaps, markers and filters leave fewer records than offsets: look further back there.
		further := make(Spans)
		for topic, spans := range spans {
			for p, span := range spans {
				records := newest(append(older[topic][p], found[topic][p]...), t.Last)
				put(found, topic, p, records)
				span.To = window[topic][p].From
				if len(records) < t.Last && span.From < span.To {
					put(further, topic, p, span)
				} else if len(records) > 0 {
					sequences = append(sequences, records)
				}
			}
		}
		spans = further
	}
	slices.SortFunc(sequences, byPartition)
	return newest(mergeByTime(nil, sequences), t.Last), nil
}

// detached is a copy of the record that doesn't keep all that was fetched with it in
// memory.
func detached(r *kgo.Record) *kgo.Record {
	d := *r
	d.Key, d.Value, d.Headers = bytes.Clone(r.Key), bytes.Clone(r.Value), slices.Clone(r.Headers)
	for i, h := range d.Headers {
		d.Headers[i] = kgo.RecordHeader{Key: strings.Clone(h.Key), Value: bytes.Clone(h.Value)}
	}
	return &d
}

// ending returns the last width offsets of each span.
func ending(spans Spans, width int64) Spans {
	ends := make(Spans, len(spans))
	for topic, spans := range spans {
		for p, s := range spans {
			s.From = max(s.From, s.To-width)
			put(ends, topic, p, s)
		}
	}
	return ends
}

func newest(records []*kgo.Record, n int) []*kgo.Record {
	return records[max(len(records)-n, 0):]
}

func byPartition(a, b []*kgo.Record) int {
	return cmp.Or(strings.Compare(a[0].Topic, b[0].Topic), cmp.Compare(a[0].Partition, b[0].Partition))
}

// mergeByTime appends, again and again, the oldest of the sequences' first records; of
// equally old ones, that of the first sequence. It uses the sequences up.
func mergeByTime(dst []*kgo.Record, sequences [][]*kgo.Record) []*kgo.Record {
	for len(sequences) > 1 {
		oldest, next := 0, time.Time{}
		for i, s := range sequences[1:] {
			switch first := s[0].Timestamp; {
			case first.Before(sequences[oldest][0].Timestamp):
				oldest, next = i+1, sequences[oldest][0].Timestamp
			case next.IsZero() || first.Before(next):
				next = first
			}
		}
		s := sequences[oldest]
		n := 1
		for n < len(s) && s[n].Timestamp.Before(next) {
			n++
		}
		dst = append(dst, s[:n]...)
		if sequences[oldest] = s[n:]; n == len(s) {
			sequences = slices.Delete(sequences, oldest, oldest+1)
		}
	}
	for _, s := range sequences {
		dst = append(dst, s...)
	}
	return dst
}
