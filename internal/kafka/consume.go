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
	match  *matcher
	places map[string]map[int32]*place
	open   int       // places that are not at their end
	ends   bool      // every place has an end
	member *member   // of a group, or nil
	asked  time.Time // when the partitions were last asked for
	gone   string    // a topic that didn't exist then
	merged []*kgo.Record
	failed time.Time // when the first of the latest failing probes was made; zero after one that didn't
}

// A place is where a consumer is in a partition.
type place struct {
	topic     string
	partition int32
	span      Span
	next      int64 // everything below was emitted, or will never be
	epoch     int32 // of the leader that the last record came from; -1 before there is one
	done      bool
}

func (t TailOptions) newConsumer(cl *kgo.Client) *consumer {
	return &consumer{cl: cl, tail: t, match: newMatcher(t.Filter), places: make(map[string]map[int32]*place), ends: true, asked: time.Now()}
}

// consume reads the spans until all have ended; spans without an end never do.
func (t TailOptions) consume(ctx context.Context, cl *kgo.Client, spans Spans, emit func([]*kgo.Record) error) error {
	c := t.newConsumer(cl)
	offsets := make(map[string]map[int32]kgo.Offset)
	for topic, spans := range spans {
		for p, span := range spans {
			if pl := c.begin(topic, p, span); !pl.done {
				put(offsets, topic, p, kgo.NewOffset().At(pl.next))
			}
		}
	}
	cl.AddConsumePartitions(offsets)
	defer c.release()
	return c.run(ctx, emit)
}

// begin adds a place. One without anything before its end is done.
func (c *consumer) begin(topic string, partition int32, span Span) *place {
	// An offset behind the end would be reset; waiting at the end is the same.
	pl := &place{topic: topic, partition: partition, span: span, next: min(span.From, span.End), epoch: -1}
	put(c.places, topic, partition, pl)
	pl.done = span.To >= 0 && span.From >= span.To
	if !pl.done {
		c.open++
	}
	c.ends = c.ends && span.To >= 0
	return pl
}

// release frees the client for the next consumer.
func (c *consumer) release() {
	read := make(map[string][]int32)
	for topic, places := range c.places {
		for p := range places {
			read[topic] = append(read[topic], p)
		}
	}
	c.cl.RemoveConsumePartitions(read)
	c.cl.ResumeFetchPartitions(read)
}

func (c *consumer) run(ctx context.Context, emit func([]*kgo.Record) error) error {
	for !c.finished() {
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

// finished tells whether nothing is left to read, nor will be.
func (c *consumer) finished() bool {
	if c.member != nil && !c.member.update() {
		return false
	}
	return c.ends && c.open == 0
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
	if c.member == nil {
		fetches = c.cl.PollFetches(wait)
		return fetches, wait.Err() != nil
	}
	c.cl.AllowRebalance()
	fetches = c.cl.PollFetches(wait)
	c.member.update()
	return fetches, wait.Err() != nil
}

// take emits what of the fetches is wanted, in one batch. A partition that fails
// doesn't hold back what the others have.
func (c *consumer) take(fetches kgo.Fetches, emit func([]*kgo.Record) error) error {
	var (
		failed    error
		sequences [][]*kgo.Record
		moved     []*place
	)
	fetches.EachPartition(func(ftp kgo.FetchTopicPartition) {
		if err := c.check(ftp.Topic, ftp.Partition, ftp.Err); err != nil {
			failed = err
			return
		}
		pl := c.places[ftp.Topic][ftp.Partition]
		if pl == nil || pl.done || len(ftp.Records) == 0 {
			return
		}
		last := ftp.Records[len(ftp.Records)-1]
		pl.next, pl.epoch = last.Offset+1, last.LeaderEpoch
		moved = append(moved, pl)
		records := pl.wanted(ftp.Records)
		if c.tail.Seen != nil {
			c.tail.Seen(len(records))
		}
		if records = c.match.keep(records); len(records) > 0 {
			sequences = append(sequences, records)
		}
	})
	if len(sequences) > 0 {
		c.merged = mergeByTime(c.merged[:0], sequences)
		if err := emit(c.merged); err != nil {
			return err
		}
		clear(c.merged)
	}
	if c.member != nil && len(moved) > 0 {
		c.member.passed(c.cl, moved)
	}
	for _, pl := range moved {
		c.settleAt(pl)
	}
	return failed
}

// check returns err if it ends the consumer.
func (c *consumer) check(topic string, partition int32, err error) error {
	var loss *kgo.ErrDataLoss
	switch {
	case err == nil, errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return nil
	case errors.Is(err, kerr.UnknownTopicID) && c.tail.Patterns != nil && c.member == nil:
		c.drop(topic)
		return nil
	case errors.Is(err, kerr.UnknownTopicID):
		return fmt.Errorf("topic %q was deleted and created again", topic)
	case errors.As(err, &loss):
		c.tail.Trouble(err)
		return nil
	case c.member != nil && outlived(err):
		c.tail.Trouble(err)
		return nil
	case kerr.IsRetriable(err), kgo.IsRetryableBrokerErr(err):
		return nil
	}
	if c.member != nil && topic == "" {
		return fmt.Errorf("join group %q: %w", c.tail.Group, err)
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
	if c.member != nil || time.Since(c.asked) < c.refresh() {
		return nil
	}
	defer func() { c.asked = time.Now() }()
	return c.discover(ctx)
}
