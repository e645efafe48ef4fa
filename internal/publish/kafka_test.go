package publish

import (
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// blocking holds requests back until the channel is closed.
func blocking(until <-chan struct{}) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(kmsg.Request) (kmsg.Response, error, bool) {
		<-until
		return nil, nil, false
	}
}

func TestKafkaRecords(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"))
	m := sized("5", 10)
	if errs := NewKafka(b.client(KafkaOpts()...)).Publish(t.Context(), "t", []Message{m}); errs != nil {
		t.Fatal(errs)
	}
	r := b.read("t", 1)[0]
	if string(r.Key) != "5" || string(r.Value) != string(m.Data) {
		t.Errorf("record %s: %s", r.Key, r.Value)
	}
	if len(r.Headers) != 1 || r.Headers[0].Key != "content-type" || string(r.Headers[0].Value) != m.ContentType {
		t.Errorf("headers %v", r.Headers)
	}
}

func TestKafkaTellsRefusalsFromOutages(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "20000"}))
	k := NewKafka(b.client(append(KafkaOpts(), kgo.RecordDeliveryTimeout(2*time.Second), kgo.ProducerBatchCompression(kgo.NoCompression()))...))
	batch := messages(keys(5)...)
	if errs := k.Publish(t.Context(), "t", batch); errs != nil {
		t.Fatal(errs)
	}
	batch[3] = sized("3", 2<<20)
	for i, err := range k.Publish(t.Context(), "t", batch) {
		if (i == 3) != (errors.Is(err, ErrRefused) && !errors.Is(err, ErrTopicRefused)) || i != 3 && err != nil {
			t.Errorf("message %d: %v", i, err)
		}
	}
	for _, err := range k.Publish(t.Context(), "missing", messages("1", "2")) {
		if !errors.Is(err, ErrTopicRefused) {
			t.Errorf("missing topic: %v", err)
		}
	}
	b.close()
	wantOutage(t, k.Publish(t.Context(), "t", messages("1", "2")), 2)
	b.open()
	publishesAgain(t, k, 20*time.Second)
}

func TestClassifyKafka(t *testing.T) {
	for err, want := range map[error]error{
		kerr.MessageTooLarge:          ErrRefused,
		kerr.InvalidRecord:            ErrRefused,
		kerr.TopicAuthorizationFailed: ErrTopicRefused,
		kerr.UnknownTopicOrPartition:  ErrTopicRefused,
	} {
		if got := ClassifyKafka(err); !errors.Is(got, want) || !errors.Is(got, err) {
			t.Errorf("%v: %v, want %v", err, got, want)
		}
	}
	for _, err := range []error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kgo.ErrRecordTimeout, errAway} {
		if errors.Is(ClassifyKafka(err), ErrRefused) {
			t.Errorf("%v is taken for a refusal", err)
		}
	}
}
