package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/todoctl/todoctl/internal/task"
)

func TestDaprKeepsKeysAndPartitions(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(12, "sidecar", "direct"))
	p := newSidecar(t, b.addr())
	p.start()
	batch := messages(keys(100)...)
	d := p.publisher(DaprOptions{})
	if errs := d.Publish(t.Context(), "sidecar", batch); errs != nil {
		t.Fatal(errs)
	}
	one := sized("alone", 10)
	if errs := d.Publish(t.Context(), "sidecar", []Message{one}); errs != nil {
		t.Fatal(errs)
	}
	if errs := NewKafka(b.client(KafkaOpts()...)).Publish(t.Context(), "direct", append(batch, one)); errs != nil {
		t.Fatal(errs)
	}
	partitions := func(topic string) map[string]int32 {
		places := map[string]int32{}
		for _, r := range b.read(topic, 101) {
			places[string(r.Key)] = r.Partition
		}
		return places
	}
	if diff := cmp.Diff(partitions("sidecar"), partitions("direct")); diff != "" {
		t.Errorf("partitions through the sidecar and directly (-sidecar +direct):\n%s", diff)
	}
}

func TestDaprKeepsTheEvent(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(3, task.Topic))
	p := newSidecar(t, b.addr())
	p.start()
	d := p.publisher(DaprOptions{})
	var batch []Message
	for id := range int64(3) {
		batch = append(batch, message(event(t, id+1)))
	}
	if errs := d.Publish(t.Context(), task.Topic, batch[:1]); errs != nil {
		t.Fatal(errs)
	}
	if errs := d.Publish(t.Context(), task.Topic, batch[1:]); errs != nil {
		t.Fatal(errs)
	}
	sent := map[string]map[string]any{}
	for _, m := range batch {
		sent[m.ID] = decode(t, m.Data)
	}
	for _, r := range b.read(task.Topic, 3) {
		got := decode(t, r.Value)
		want := sent[fmt.Sprint(got["id"])]
		if got["traceid"] == nil {
			t.Error("Dapr adds no traceid any more")
		}
		for field, value := range want {
			if field == "traceparent" {
				continue // see TestDaprKeepsTheTraceBesideATraceID
			}
			if diff := cmp.Diff(value, got[field]); diff != "" {
				t.Errorf("%s (-sent +got):\n%s", field, diff)
			}
		}
	}
}

// event makes an event as the store does.
func event(t *testing.T, id int64) task.Event {
	t.Helper()
	var patch task.Patch
	if err := json.Unmarshal([]byte(`{"title":"Buy <milk> & \"eggs\" \u00fc","priority":"high","tags":["a","b"]}`), &patch); err != nil {
		t.Fatal(err)
	}
	change := task.Change{Action: task.Create, UserID: "u1", Patch: patch, Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}
	outcome, err := change.Apply(nil, task.Reminder{}, id, time.Now(), func() string { return fmt.Sprint("event-", id) })
	if err != nil {
		t.Fatal(err)
	}
	return outcome.Events[0]
}

func decode(t *testing.T, data []byte) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(data, &fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// Dapr keeps a traceparent only beside a traceid; alone it is replaced by the one of
// the call to the sidecar, which is empty.
func TestDaprKeepsTheTraceBesideATraceID(t *testing.T) {
	t.Parallel()
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	b := openBroker(t, kfake.SeedTopics(1, "t"))
	p := newSidecar(t, b.addr())
	p.start()
	both, alone := sized("both", 1), sized("alone", 1)
	both.Data = fmt.Appendf(nil, `{"specversion":"1.0","id":"both","type":"x","source":"x","traceid":%q,"traceparent":%q}`, trace, trace)
	alone.Data = fmt.Appendf(nil, `{"specversion":"1.0","id":"alone","type":"x","source":"x","traceparent":%q}`, trace)
	d := p.publisher(DaprOptions{})
	for range 2 {
		if errs := d.Publish(t.Context(), "t", []Message{both, alone}); errs != nil {
			t.Fatal(errs)
		}
	}
	for _, r := range b.read("t", 4) {
		e := decode(t, r.Value)
		switch string(r.Key) {
		case "both":
			if e["traceparent"] != trace || e["traceid"] != trace {
				t.Errorf("beside a traceid: %s", r.Value)
			}
		case "alone":
			if e["traceparent"] == trace {
				t.Errorf("Dapr keeps a traceparent alone now: %s", r.Value)
			}
		}
	}
}

func TestDaprWithoutItsSidecar(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(3, "t"))
	p := newSidecar(t, b.addr())
	began := time.Now()
	d := p.publisher(DaprOptions{})
	wantOutage(t, d.Publish(t.Context(), "t", messages(keys(10)...)), 10)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("no sidecar: took %v to say so", took)
	}
	p.start()
	publishesAgain(t, d, 5*time.Second)
	p.kill()
	wantOutage(t, d.Publish(t.Context(), "t", messages(keys(10)...)), 10)
	p.start()
	publishesAgain(t, d, 5*time.Second)
}

func TestDaprWithoutItsBroker(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(3, "t"))
	p := newSidecar(t, b.addr())
	p.start()
	d := p.publisher(DaprOptions{})
	if errs := d.Publish(t.Context(), "t", messages(keys(10)...)); errs != nil {
		t.Fatal(errs)
	}
	b.close()
	wantOutage(t, d.Publish(t.Context(), "t", messages(keys(10)...)), 10)
	wantOutage(t, d.Publish(t.Context(), "t", messages("1")), 1)
	b.open()
	publishesAgain(t, d, 30*time.Second)
}

// publishesAgain tries, like the relay, until a message passes.
func publishesAgain(t *testing.T, p Publisher, bound time.Duration) {
	t.Helper()
	until(t, bound, "publishing again", func() bool {
		errs := p.Publish(t.Context(), "t", messages("1"))
		if errs != nil && errors.Is(errs[0], ErrRefused) {
			t.Fatalf("refused: %v", errs[0])
		}
		return errs == nil
	})
}

func wantOutage(t *testing.T, errs []error, n int) {
	t.Helper()
	if len(errs) != n {
		t.Fatalf("%d errors, want %d", len(errs), n)
	}
	for _, err := range errs {
		if err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("error %v, want an outage", err)
		}
	}
}

func TestDaprTellsTheMessageThatIsTooLarge(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "20000"}))
	p := newSidecar(t, b.addr())
	p.start()
	d := p.publisher(DaprOptions{})
	batch := messages(keys(20)...)
	batch[7] = sized("7", 50_000)    // for the broker
	batch[9] = sized("9", 1_500_000) // for Sarama
	for i, err := range d.Publish(t.Context(), "t", batch) {
		switch large := i == 7 || i == 9; {
		case large && (!errors.Is(err, ErrRefused) || errors.Is(err, ErrTopicRefused)):
			t.Errorf("message %d: %v, want a refusal of the message", i, err)
		case !large && err != nil:
			t.Errorf("message %d: %v, want nil", i, err)
		}
	}
	arrived := map[string]bool{}
	for _, r := range b.read("t", 18) {
		arrived[string(r.Key)] = true
	}
	if len(arrived) != 18 {
		t.Errorf("%d messages arrived, want 18", len(arrived))
	}
	// For daprd, which takes 4 MiB, and for gRPC.
	for _, size := range []int{5 << 20, 20 << 20} {
		if errs := d.Publish(t.Context(), "t", []Message{sized("1", size)}); len(errs) != 1 || !errors.Is(errs[0], ErrRefused) {
			t.Errorf("%d bytes: %v, want a refusal", size, errs)
		}
	}
}

func TestDaprSplitsWhatIsTooMuchForACall(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(12, "t"))
	p := newSidecar(t, b.addr())
	p.start()
	batch := make([]Message, 100)
	for i := range batch {
		batch[i] = sized(fmt.Sprint(i), task.MaxEvent-200)
	}
	if errs := p.publisher(DaprOptions{}).Publish(t.Context(), "t", batch); errs != nil {
		t.Fatal(errs)
	}
	if n := len(b.read("t", 100)); n != 100 {
		t.Errorf("%d records for 100 messages", n)
	}
}

func TestDaprTellsAMalformedMessage(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"))
	p := newSidecar(t, b.addr())
	p.start()
	batch := messages(keys(3)...)
	batch[1].Data = []byte("{not json")
	errs := p.publisher(DaprOptions{}).Publish(t.Context(), "t", batch)
	if len(errs) != 3 || errs[0] != nil || !errors.Is(errs[1], ErrRefused) || errs[2] != nil {
		t.Errorf("errors %v, want the second to be refused", errs)
	}
}

func TestDaprTellsAMissingTopic(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"))
	p := newSidecar(t, b.addr())
	p.start()
	d := p.publisher(DaprOptions{})
	errs := d.Publish(t.Context(), "missing", messages("1"))
	if len(errs) != 1 || !errors.Is(errs[0], ErrTopicRefused) {
		t.Errorf("alone: %v, want the topic to be refused", errs)
	}
	for i, err := range d.Publish(t.Context(), "missing", messages(keys(10)...)) {
		if err == nil {
			t.Errorf("message %d was published", i)
		}
	}
	if errs := d.Publish(t.Context(), "t", messages(keys(10)...)); errs != nil {
		t.Errorf("another topic: %v", errs)
	}
}

func TestDaprTellsAForbiddenTopic(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t", "secret"))
	p := newSidecar(t, b.addr(), `{name: allowedTopics, value: "t"}`)
	p.start()
	d := p.publisher(DaprOptions{})
	for _, n := range []int{1, 10} {
		for _, err := range d.Publish(t.Context(), "secret", messages(keys(n)...)) {
			if !errors.Is(err, ErrTopicRefused) {
				t.Errorf("%v, want the topic to be refused", err)
			}
		}
	}
}

// What is wrong with the sidecar's configuration is no message's fault.
func TestDaprWithAWrongConfiguration(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"))
	p := newSidecar(t, b.addr())
	p.env = []string{"DAPR_API_TOKEN=secret"}
	p.start()
	for _, n := range []int{1, 10} {
		batch := messages(keys(n)...)
		wantOutage(t, p.publisher(DaprOptions{PubSub: "other", APIToken: "secret"}).Publish(t.Context(), "t", batch), n)
		wantOutage(t, p.publisher(DaprOptions{APIToken: "wrong"}).Publish(t.Context(), "t", batch), n)
		wantOutage(t, p.publisher(DaprOptions{}).Publish(t.Context(), "t", batch), n)
		if errs := p.publisher(DaprOptions{APIToken: "secret"}).Publish(t.Context(), "t", batch); errs != nil {
			t.Errorf("with everything right: %v", errs)
		}
	}
}

func TestDaprGivesUpInTime(t *testing.T) {
	t.Parallel()
	b := openBroker(t, kfake.SeedTopics(1, "t"))
	p := newSidecar(t, b.addr())
	p.start()
	block := make(chan struct{})
	b.cluster.ControlKey(0, blocking(block))
	defer close(block)
	began := time.Now()
	wantOutage(t, p.publisher(DaprOptions{Timeout: 300 * time.Millisecond}).Publish(t.Context(), "t", messages(keys(10)...)), 10)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantOutage(t, p.publisher(DaprOptions{}).Publish(ctx, "t", messages("1")), 1)
}

func TestDaprBadAddress(t *testing.T) {
	t.Parallel()
	if _, err := NewDapr(DaprOptions{GRPCAddr: "\x00"}); err == nil || !strings.Contains(err.Error(), "dapr sidecar") {
		t.Errorf("NewDapr = %v", err)
	}
}
