package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// settle is the silence after which a consumer with an end asks the brokers what
// lies between its positions and the end.
const settle = 250 * time.Millisecond

// A consumer reads spans of partitions with a client that consumes nothing else.
type consumer struct {
	cl     *kgo.Client
	tail   TailOptions
	places map[string]map[int32]*place
	open   int       // places that are not at their end
	ends   bool      // every place has an end
	asked  time.Time // when the partitions were last asked for
	gone   string    // a topic that didn't exist then
	failed time.Time // when the first of the latest failing probes was made; zero after one that didn't
}

// A place is where a consumer is in a partition.
type place struct {
	topic     string
	partition int32
	span      Span
	next      int64 // everything below was emitted, or will never be
	done      bool
}

// consume reads the spans until all have ended; spans without an end never do.
func (t TailOptions) consume(ctx context.Context, cl *kgo.Client, spans Spans, emit func([]*kgo.Record) error) error {
	c := &consumer{cl: cl, tail: t, places: make(map[string]map[int32]*place), ends: true, asked: time.Now()}
	offsets := make(map[string]map[int32]kgo.Offset)
	for topic, partitions := range spans {
		c.places[topic] = make(map[int32]*place)
		for p, span := range partitions {
			if span.To < 0 {
				c.ends = false
			} else if span.From >= span.To {
				continue
			}
			if offsets[topic] == nil {
				offsets[topic] = make(map[int32]kgo.Offset)
			}
			// An offset behind the end would be reset; waiting at the end is the same.
			from := min(span.From, span.End)
			offsets[topic][p] = kgo.NewOffset().At(from)
			c.places[topic][p] = &place{topic: topic, partition: p, span: span, next: from}
			c.open++
		}
	}
	cl.AddConsumePartitions(offsets)
	defer c.release()
	return c.run(ctx, emit)
}

// release frees the client for the next consumer.
func (c *consumer) release() {
	partitions := make(map[string][]int32)
	for topic, places := range c.places {
		for p := range places {
			partitions[topic] = append(partitions[topic], p)
		}
	}
	c.cl.RemoveConsumePartitions(partitions)
	c.cl.ResumeFetchPartitions(partitions)
}

func (c *consumer) run(ctx context.Context, emit func([]*kgo.Record) error) error {
	for c.open > 0 {
		if c.tail.Idle != nil && c.cl.BufferedFetchRecords() == 0 {
			if err := c.tail.Idle(); err != nil {
				return err
			}
		}
		fetches, waited := c.poll(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.take(fetches, emit); err != nil {
			return err
		}
		if err := c.look(ctx, waited); err != nil {
			return err
		}
	}
	return nil
}

// poll waits for records for as long as there is nothing else to do; waited tells
// that none came.
func (c *consumer) poll(ctx context.Context) (fetches kgo.Fetches, waited bool) {
	limit := settle
	if !c.ends {
		limit = c.refresh()
	}
	wait, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	fetches = c.cl.PollFetches(wait)
	return fetches, wait.Err() != nil
}

func (c *consumer) take(fetches kgo.Fetches, emit func([]*kgo.Record) error) error {
	var failed error
	fetches.EachPartition(func(ftp kgo.FetchTopicPartition) {
		if failed != nil {
			return
		}
		if failed = c.check(ftp.Topic, ftp.Partition, ftp.Err); failed != nil {
			return
		}
		pl := c.places[ftp.Topic][ftp.Partition]
		if pl == nil || pl.done || len(ftp.Records) == 0 {
			return
		}
		pl.next = ftp.Records[len(ftp.Records)-1].Offset + 1
		if records := pl.wanted(ftp.Records); len(records) > 0 {
			failed = emit(records)
		}
		c.settleAt(pl)
	})
	return failed
}

// check returns err if it ends the consumer.
func (c *consumer) check(topic string, partition int32, err error) error {
	var loss *kgo.ErrDataLoss
	switch {
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, kerr.UnknownTopicID):
		return fmt.Errorf("topic %q was deleted and created again", topic)
	case errors.As(err, &loss):
		c.tail.Trouble(err)
		return nil
	case kerr.IsRetriable(err), kgo.IsRetryableBrokerErr(err):
		return nil
	}
	return fmt.Errorf("read %s[%d]: %w", topic, partition, err)
}

// wanted returns the records of the span, in place, without control records.
func (pl *place) wanted(records []*kgo.Record) []*kgo.Record {
	for len(records) > 0 && records[0].Offset < pl.span.From {
		records = records[1:]
	}
	for pl.span.To >= 0 && len(records) > 0 && records[len(records)-1].Offset >= pl.span.To {
		records = records[:len(records)-1]
	}
	for _, r := range records {
		if r.Attrs.IsControl() {
			return slices.DeleteFunc(records, func(r *kgo.Record) bool { return r.Attrs.IsControl() })
		}
	}
	return records
}

// settleAt ends the place if its position is at the end.
func (c *consumer) settleAt(pl *place) {
	if pl.done || pl.span.To < 0 || pl.next < pl.span.To {
		return
	}
	pl.done = true
	c.open--
	c.cl.PauseFetchPartitions(map[string][]int32{pl.topic: {pl.partition}})
}

// look does what is due besides reading.
func (c *consumer) look(ctx context.Context, waited bool) error {
	if c.ends {
		if waited {
			return c.probe(ctx)
		}
		return nil
	}
	if time.Since(c.asked) < c.refresh() {
		return nil
	}
	defer func() { c.asked = time.Now() }()
	return c.discover(ctx)
}
