package kafka_test

import (
	"context"
	"errors"
	"hash/fnv"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

// refusing returns an address where nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// silent returns the address of a listener that never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}

func TestReach(t *testing.T) {
	_, o := cluster(t, 1)
	up, dead, mute := o.Brokers[0], refusing(t), silent(t)
	for _, tt := range []struct {
		name    string
		brokers []string
		want    string
	}{
		{"up", []string{up}, ""},
		{"one of three up", []string{dead, mute, up}, ""},
		{"refused", []string{dead}, "no Kafka broker answers at " + dead +
			": connection refused; start one with 'todoctl dev', or name another with --brokers"},
		{"silent", []string{mute}, "no Kafka broker answers at " + mute + ": no answer within 300ms; "},
		{"no such host", []string{"nowhere.invalid:9092"}, `no Kafka broker answers at nowhere.invalid:9092: `},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := kafka.Reach(t.Context(), client(t, kafka.Options{Brokers: tt.brokers}), 300*time.Millisecond)
			if tt.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var unreachable *kafka.UnreachableError
			if !errors.As(err, &unreachable) || !strings.HasPrefix(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := kafka.Reach(ctx, client(t, kafka.Options{Brokers: []string{mute}}), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := kafka.NewClient(kafka.Options{}); err == nil {
		t.Error("a client without brokers")
	}
}

func TestNothingWaitsForADeadBroker(t *testing.T) {
	o := kafka.Options{Brokers: []string{refusing(t)}, Timeout: 200 * time.Millisecond}
	begin := time.Now()
	var unreachable *kafka.UnreachableError
	if err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}}, nil); !errors.As(err, &unreachable) {
		t.Errorf("tail: %v", err)
	}
	err := kafka.Produce(t.Context(), client(t, o), []*kgo.Record{record(0, 0, "v")})
	var failed *kafka.RecordError
	if !errors.As(err, &failed) || failed.Index != 0 || failed.Record.Topic != "t" {
		t.Errorf("produce: %v", err)
	}
	if took := time.Since(begin); took > 15*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"reminders", "task-events", "task-events-dlq", "task-updates", "t"}
	for in, want := range map[string]string{
		"task-event": "task-events", "taks-events": "task-events", "tsk-evnts": "task-events", "task_events": "task-events",
		"reminder": "reminders", "task-events-dql": "task-events-dlq", "events": "", "x": "", "": "", "tasks": "",
	} {
		if got := kafka.Nearest(in, known); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// sarama is the default hash partitioner of Sarama 1.48, which Dapr uses.
func sarama(key []byte, partitions int32) int32 {
	h := fnv.New32a()
	h.Write(key)
	p := int32(h.Sum32()) % partitions
	if p < 0 {
		p = -p
	}
	return p
}

func TestProducePartitionsAsDapr(t *testing.T) {
	const partitions = 7
	_, o := cluster(t, partitions)
	var records []*kgo.Record
	negative := 0
	for _, key := range append(values("", 0, 500), "", "日本", "a-much-longer-key-than-a-task-id") {
		records = append(records, &kgo.Record{Topic: "t", Key: []byte(key), Value: []byte("v")})
		h := fnv.New32a()
		h.Write([]byte(key))
		if int32(h.Sum32()) < 0 {
			negative++
		}
	}
	if negative == 0 || negative == len(records) {
		t.Fatal("the keys don't cover both signs of the hash")
	}
	produce(t, client(t, o), records...)
	for _, r := range records {
		if want := sarama(r.Key, partitions); r.Partition != want {
			t.Errorf("key %q is on partition %d, Dapr puts it on %d", r.Key, r.Partition, want)
		}
	}
}

func TestProduceNamesEveryFailure(t *testing.T) {
	c, o := cluster(t, 1, kfake.SeedTopics(1, "broken"))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "broken", Err: kerr.PolicyViolation})
	broken := func(v string) *kgo.Record { return &kgo.Record{Topic: "broken", Value: []byte(v)} }
	err := kafka.Produce(t.Context(), client(t, o), []*kgo.Record{broken("a"), record(0, 0, "good"), broken("b")})
	if err == nil || !errors.Is(err, kerr.PolicyViolation) {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], `produce record 0 to topic "broken": `) || !strings.HasPrefix(lines[1], `produce record 2 to`) {
		t.Errorf("got %q", lines)
	}
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), []string{"good"})
}

func TestParseEvent(t *testing.T) {
	ce := kgo.RecordHeader{Key: "ce_specversion", Value: []byte("1.0")}
	for name, tt := range map[string]struct {
		r    kgo.Record
		want kafka.Event
		ok   bool
	}{
		"structured": {kgo.Record{Value: []byte(`{"specversion":"1.0","id":"a\u0041","source":"s","type":"t","subject":"u","time":"now","data":{"x": 1}}`)},
			kafka.Event{ID: "aA", Source: "s", Type: "t", Subject: "u", Time: "now", Data: []byte(`{"x": 1}`)}, true},
		"pretty":          {kgo.Record{Value: []byte("\n{\n\"specversion\": \"1.0\" }\n")}, kafka.Event{}, true},
		"base64":          {kgo.Record{Value: []byte(`{"specversion":"1.0","data_base64":"aGk="}`)}, kafka.Event{Data: []byte("hi")}, true},
		"binary":          {kgo.Record{Value: []byte("raw"), Headers: []kgo.RecordHeader{ce, {Key: "ce_type", Value: []byte("t")}}}, kafka.Event{Type: "t", Data: []byte("raw")}, true},
		"plain JSON":      {kgo.Record{Value: []byte(`{"id":1}`)}, kafka.Event{}, false},
		"array":           {kgo.Record{Value: []byte(`[{"specversion":"1.0"}]`)}, kafka.Event{}, false},
		"nested":          {kgo.Record{Value: []byte(`{"a":{"specversion":"1.0"}}`)}, kafka.Event{}, false},
		"broken":          {kgo.Record{Value: []byte(`{"specversion":"1.0",}`)}, kafka.Event{}, false},
		"tombstone":       {kgo.Record{}, kafka.Event{}, false},
		"number as spec":  {kgo.Record{Value: []byte(`{"specversion":1}`)}, kafka.Event{}, false},
		"type isn't text": {kgo.Record{Value: []byte(`{"specversion":"1.0","type":7}`)}, kafka.Event{}, true},
	} {
		e, ok := kafka.ParseEvent(&tt.r)
		if ok != tt.ok {
			t.Errorf("%s: found %v", name, ok)
		}
		if ok {
			equal(t, e, tt.want)
		}
	}
}
