package publish

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka publishes straight to the brokers, without a sidecar. The records carry
// the message as it is; Dapr's add topic, pubsubname and trace fields to it.
type Kafka struct {
	client *kgo.Client
}

// NewKafka publishes through a client made with KafkaOpts. The client stays the
// caller's to close.
func NewKafka(client *kgo.Client) *Kafka { return &Kafka{client: client} }

// KafkaOpts are the options that a client needs to meet the Publisher's contract:
// acks=all, keys on the partitions on which Dapr puts them (Sarama's FNV-1a), and
// an error after 15 s, or when the context ends, rather than retries without end.
func KafkaOpts() []kgo.Opt {
	return []kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(kgo.SaramaCompatHasher(fnv1a))),
		kgo.RecordDeliveryTimeout(15 * time.Second),
		// Without it records whose answer is missing are waited for without bound.
		// The price is what the contract allows: a message may be there twice.
		kgo.AllowIdempotentProduceCancellation(),
	}
}

func fnv1a(key []byte) uint32 {
	h := fnv.New32a()
	h.Write(key)
	return h.Sum32()
}

// Publish implements Publisher.
func (k *Kafka) Publish(ctx context.Context, topic string, batch []Message) []error {
	records := make([]*kgo.Record, len(batch))
	place := make(map[*kgo.Record]int, len(batch))
	for i, m := range batch {
		records[i] = record(topic, m)
		place[records[i]] = i
	}
	var errs []error
	for _, result := range k.client.ProduceSync(ctx, records...) {
		if result.Err == nil {
			continue
		}
		if errs == nil {
			errs = make([]error, len(batch))
		}
		errs[place[result.Record]] = ClassifyKafka(result.Err)
	}
	return errs
}

// record follows the structured mode of the CloudEvents Kafka binding 1.0.2: the
// header content-type tells that the value is the whole event.
func record(topic string, m Message) *kgo.Record {
	r := &kgo.Record{
		Topic:   topic,
		Value:   m.Data,
		Headers: []kgo.RecordHeader{{Key: "content-type", Value: []byte(m.ContentType)}},
	}
	if m.Key != "" {
		r.Key = []byte(m.Key)
	}
	return r
}

// ClassifyKafka turns an error of the Kafka client for a record into one of the
// Publisher's contract: it tells a refusal from an outage.
func ClassifyKafka(err error) error {
	if errors.Is(err, kerr.InvalidRecord) { // the client passes over the broker's own words
		return fmt.Errorf("%w: %w (a compacted topic takes no record without a key)", ErrRefused, err)
	}
	for _, refused := range []error{
		kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidTimestamp,
		kerr.UnsupportedForMessageFormat, kerr.PolicyViolation,
	} {
		if errors.Is(err, refused) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	for _, refused := range []error{
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InvalidTopicException, kerr.TopicAuthorizationFailed,
	} {
		if errors.Is(err, refused) {
			return fmt.Errorf("%w: %w", ErrTopicRefused, err)
		}
	}
	return err
}
