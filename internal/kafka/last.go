package kafka

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// last returns the last t.Last records of the spans in all: merged by time, and
// never against the order of a partition.
func (t TailOptions) last(ctx context.Context, cl *kgo.Client, spans Spans) ([]*kgo.Record, error) {
	silent := t // what is collected here was not emitted: nothing to flush
	silent.Idle = nil
	var sequences [][]*kgo.Record
	for width := int64(t.Last); len(spans) > 0; width *= 4 {
		found := make(map[string]map[int32][]*kgo.Record)
		err := silent.consume(ctx, cl, ending(spans, width), func(records []*kgo.Record) error {
			r := records[0]
			if found[r.Topic] == nil {
				found[r.Topic] = make(map[int32][]*kgo.Record)
			}
			found[r.Topic][r.Partition] = newest(append(found[r.Topic][r.Partition], records...), t.Last)
			return nil
		})
		if err != nil {
			return nil, err
		}
		// Gaps and markers may leave fewer records than offsets: look further back there.
		short := make(Spans)
		for topic, partitions := range spans {
			for p, s := range partitions {
				records := found[topic][p]
				if len(records) >= t.Last || s.To-width <= s.From {
					if len(records) > 0 {
						sequences = append(sequences, records)
					}
					continue
				}
				if short[topic] == nil {
					short[topic] = make(map[int32]Span)
				}
				short[topic][p] = s
			}
		}
		spans = short
	}
	slices.SortFunc(sequences, byPartition)
	return newest(mergeByTime(sequences), t.Last), nil
}

// ending returns the last width offsets of each span.
func ending(spans Spans, width int64) Spans {
	ends := make(Spans, len(spans))
	for topic, partitions := range spans {
		ends[topic] = make(map[int32]Span, len(partitions))
		for p, s := range partitions {
			s.From = max(s.From, s.To-width)
			ends[topic][p] = s
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

// mergeByTime takes, again and again, the oldest of the sequences' first records;
// of equally old ones, that of the first sequence.
func mergeByTime(sequences [][]*kgo.Record) []*kgo.Record {
	var merged []*kgo.Record
	for {
		oldest := -1
		for i, s := range sequences {
			if len(s) > 0 && (oldest < 0 || s[0].Timestamp.Before(sequences[oldest][0].Timestamp)) {
				oldest = i
			}
		}
		if oldest < 0 {
			return merged
		}
		merged = append(merged, sequences[oldest][0])
		sequences[oldest] = sequences[oldest][1:]
	}
}
