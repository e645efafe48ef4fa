package dlq

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A Box is the dead letters of topics, up to where those ended when it was opened.
type Box struct {
	o       kafka.Options
	cl      *kgo.Client
	topics  []string
	spans   kafka.Spans
	ledgers map[string]map[int32]ledger
}

// Open looks up what of the topics is settled, and reads no letter yet. A topic that
// doesn't exist is a *kafka.UnknownTopicError. The client is for o's brokers, and stays
// the caller's.
func Open(ctx context.Context, cl *kgo.Client, o kafka.Options, topics []string) (*Box, error) {
	b := &Box{o: o, cl: cl, topics: topics}
	if len(topics) == 0 {
		return b, nil
	}
	var err error
	if b.spans, err = (kafka.Range{}).Resolve(ctx, cl, kafka.Resolving{Topics: topics, Bounded: true, ReadCommitted: true}); err != nil {
		return nil, err
	}
	return b, b.readLedgers(ctx)
}

func (b *Box) readLedgers(ctx context.Context) error {
	found, err := kadm.NewClient(b.cl).FetchOffsets(ctx, Group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		found, err = nil, nil
	}
	if err == nil {
		err = found.Error()
	}
	if err != nil {
		return fmt.Errorf("read committed offsets of group %q: %w", Group, err)
	}
	b.ledgers = make(map[string]map[int32]ledger)
	for topic, spans := range b.spans {
		b.ledgers[topic] = make(map[int32]ledger)
		for p := range spans {
			committed, ok := found.Lookup(topic, p)
			if !ok || committed.At < 0 {
				continue
			}
			l, err := parseLedger(committed.At, committed.Metadata)
			if err != nil {
				return fmt.Errorf("%s[%d] of group %q: %w; 'todoctl groups seek %s --to start --topic %s' forgets what is settled", topic, p, Group, err, Group, topic)
			}
			b.ledgers[topic][p] = l
		}
	}
	return nil
}

// Topics are the names of the box's topics.
func (b *Box) Topics() []string { return b.topics }

// Read hands the letters to each, those of a partition in their order, and tells
// whether they are settled; without all, those below the committed offsets are left
// out, which are. The letters are each's to keep.
func (b *Box) Read(ctx context.Context, all bool, each func(l Letter, settled bool) error) error {
	spans := make(kafka.Spans, len(b.spans))
	for topic, partitions := range b.spans {
		spans[topic] = make(map[int32]kafka.Span, len(partitions))
		for p, span := range partitions {
			if !all {
				span.From = min(max(span.From, b.ledgers[topic][p].next), span.To)
			}
			spans[topic][p] = span
		}
	}
	return b.read(ctx, spans, func(letters []Letter) error {
		for _, l := range letters {
			if err := each(l, b.ledgers[l.Record.Topic][l.Record.Partition].settled(l.Record.Offset)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (b *Box) read(ctx context.Context, spans kafka.Spans, each func([]Letter) error) error {
	return kafka.ReadSpans(ctx, b.o, spans, func(records []*kgo.Record) error {
		letters := make([]Letter, len(records))
		for i, r := range records {
			letters[i] = Parse(r)
		}
		return each(letters)
	})
}

// at reads one letter.
func (b *Box) at(ctx context.Context, place Place) (Letter, error) {
	span := kafka.Span{From: place.Offset, To: place.Offset + 1, End: place.Offset + 1}
	var found *Letter
	err := b.read(ctx, kafka.Spans{place.Topic: {place.Partition: span}}, func(letters []Letter) error {
		found = &letters[0]
		return nil
	})
	if err != nil {
		return Letter{}, err
	}
	if found == nil {
		return Letter{}, fmt.Errorf("%s isn't there any more", place)
	}
	return *found, nil
}

// Lag is what the group's committed offsets leave to be read of a topic: at least the
// backlog, since settled letters above the first that isn't count too.
func (b *Box) Lag(topic string) int64 {
	lag := int64(0)
	for p, span := range b.spans[topic] {
		lag += max(span.End-max(span.From, b.ledgers[topic][p].next), 0)
	}
	return lag
}
