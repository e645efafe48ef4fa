package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// probe finds the places with nothing left before their end. The client doesn't
// tell of responses without records, so a place that compaction or deletion has
// emptied up to its end would wait for ever: one fetch past the client shows what
// is there.
func (c *consumer) probe(ctx context.Context) error {
	err := c.probeAll(ctx)
	if err == nil {
		c.failed = time.Time{}
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.failed.IsZero() {
		c.failed = time.Now()
	}
	if time.Since(c.failed) < DefaultTimeout {
		return nil // a leader may be on the move
	}
	return err
}

func (c *consumer) probeAll(ctx context.Context) error {
	topics := make([]string, 0, len(c.places))
	for topic := range c.places {
		topics = append(topics, topic)
	}
	resp, err := metadata(ctx, c.cl, topics)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if t.Topic == nil {
				continue
			}
			pl := c.places[*t.Topic][p.Partition]
			if pl == nil || pl.done {
				continue
			}
			if err := c.probePlace(ctx, pl, t.TopicID, p.Leader); err != nil {
				return fmt.Errorf("read %s[%d] at %d: %w", pl.topic, pl.partition, pl.next, err)
			}
			if c.member != nil {
				c.member.passed(c.cl, []*place{pl})
			}
			c.settleAt(pl)
		}
	}
	return nil
}

// probePlace moves the place behind what holds no records. It stops before the
// first record of the span: that one is on its way through the client.
func (c *consumer) probePlace(ctx context.Context, pl *place, id [16]byte, leader int32) error {
	for pl.next < pl.span.To {
		rp, err := FetchAt{Topic: pl.topic, ID: id, Partition: pl.partition, Offset: pl.next, Leader: leader, Committed: c.tail.ReadCommitted}.Ask(ctx, c.cl)
		if err != nil {
			return err
		}
		switch err := kerr.ErrorForCode(rp.ErrorCode); {
		case err == nil:
		case errors.Is(err, kerr.OffsetOutOfRange):
			return c.skipDeleted(ctx, pl)
		default:
			return err
		}
		if rp.HighWatermark < pl.span.To {
			return nil // a new leader that is still behind
		}
		fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: pl.next, IsolationLevel: c.isolation(), Topic: pl.topic, Partition: pl.partition,
		}, rp, kgo.DefaultDecompressor(), nil)
		switch {
		case fetched.Err != nil:
			return fetched.Err
		case len(fetched.Records) > 0:
			if first := fetched.Records[0].Offset; first >= pl.span.To {
				pl.next = first
			}
			return nil
		case len(rp.RecordBatches) == 0:
			pl.next = pl.span.To
		case next <= pl.next:
			return nil
		}
		pl.next = max(pl.next, next)
	}
	return nil
}

func (c *consumer) isolation() kgo.IsolationLevel {
	if c.tail.ReadCommitted {
		return kgo.ReadCommitted()
	}
	return kgo.ReadUncommitted()
}

// skipDeleted moves the place to the start of the partition, behind which the
// records it was at were deleted. Where the partition ends before the place, its
// end was lost, and there is nothing to wait for either.
func (c *consumer) skipDeleted(ctx context.Context, pl *place) error {
	starts, err := kadm.NewClient(c.cl).ListStartOffsets(ctx, pl.topic)
	if err != nil {
		return err
	}
	start, ok := starts.Lookup(pl.topic, pl.partition)
	switch {
	case !ok:
		return kerr.UnknownTopicOrPartition
	case start.Err != nil:
		return start.Err
	case start.Offset > pl.next:
		pl.next = start.Offset
	default:
		pl.next = pl.span.To
	}
	return nil
}
