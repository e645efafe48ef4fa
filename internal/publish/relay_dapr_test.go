package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/todoctl/todoctl/internal/task"
)

// What the relay publishes through a sidecar that is killed and a broker that goes
// away must be on the topic, in order.
func TestRelayThroughARealSidecar(t *testing.T) {
	t.Parallel()
	const tasks = 200
	b := openBroker(t, kfake.SeedTopics(6, task.Topic), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "60000"}))
	p := newSidecar(t, b.addr())
	p.start()
	d := p.publisher(DaprOptions{})

	o := newOutbox(nil)
	o.size = 100_000 // too large for the broker
	o.add(task.Topic, 1)
	o.size = 100
	lines := newLogLines()
	stop := start(t, RelayOptions{Outbox: o, Publisher: d, Log: slog.New(lines), Batch: 20, Calls: 4})
	defer stop()
	add := func(rounds int) {
		for range rounds {
			for id := range int64(tasks) {
				o.add(task.Topic, id+2)
			}
		}
	}
	add(2)
	until(t, 20*time.Second, "the first events", func() bool { return o.count(isPublished) > tasks })
	add(4)
	p.kill()
	p.start()
	until(t, 20*time.Second, "events after the sidecar was killed", func() bool { return o.count(isPublished) > 5*tasks })
	b.close()
	add(4)
	until(t, 30*time.Second, "the outage is seen", func() bool {
		return lines.count(stopped)-lines.count(goesOn) == 1
	})
	b.open()
	began := time.Now()
	until(t, 60*time.Second, "everything published", func() bool { return o.pending() == 1 })
	t.Logf("recovered %v after the broker was back", time.Since(began))
	stop()
	if f := o.failed(); len(f) == 0 || f[0].Row != 1 {
		t.Errorf("failures %v, want refusals of the large event", f)
	}
	checkTopic(t, o, b)
}

// checkTopic reads the topic and holds it against the outbox: as check does, but of
// real records.
func checkTopic(t *testing.T, o *outboxModel, b *broker) {
	t.Helper()
	published := o.count(isPublished)
	seen := map[string]bool{}
	last := map[string]int64{}
	place := map[string]int32{}
	repeated := 0
	for n := published; len(seen) < published; n = n + published - len(seen) {
		clear(seen)
		clear(last)
		repeated = 0
		for _, r := range b.read(task.Topic, n) {
			event := decode(t, r.Value)
			id, key := fmt.Sprint(event["id"]), string(r.Key)
			if seen[id] {
				repeated++
				continue
			}
			seen[id] = true
			if want := fmt.Sprint(last[key] + 1); event["sequence"] != want {
				t.Errorf("task %s: sequence %v, want %s", key, event["sequence"], want)
			}
			last[key]++
			if at, known := place[key]; known && at != r.Partition {
				t.Errorf("task %s is on partitions %d and %d", key, at, r.Partition)
			}
			place[key] = r.Partition
		}
	}
	for _, r := range o.rows {
		if r.published != seen[r.ID] {
			t.Errorf("%s: published %v, on the topic %v", r.ID, r.published, seen[r.ID])
		}
	}
	t.Logf("%d events, %d repeated", len(seen), repeated)
}

// With the topic missing nothing is given up, and all is well when it is made.
func TestRelayFindsATopicMissingThroughARealSidecar(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of waiting for Sarama")
	}
	t.Parallel()
	b := openBroker(t)
	p := newSidecar(t, b.addr())
	p.start()
	o := newOutbox(nil)
	for range 2 {
		for id := range int64(150) {
			o.add(task.Topic, id)
		}
	}
	lines := newLogLines()
	began := time.Now()
	stop := start(t, RelayOptions{Outbox: o, Publisher: p.publisher(DaprOptions{}), Log: slog.New(lines)})
	defer stop()
	until(t, 40*time.Second, "the reason is found", func() bool {
		return lines.count(topicRefuses) == 1
	})
	t.Logf("reason found after %v", time.Since(began))
	began = time.Now()
	makeTopic(t, b, task.Topic)
	until(t, 60*time.Second, "everything published", func() bool { return o.pending() == 0 })
	t.Logf("recovered %v after the topic was made", time.Since(began))
	stop()
	checkTopic(t, o, b)
}

// BenchmarkBulkLoop is what the relay is measured against: bulk calls of 100, 8 in
// flight, and nothing else.
func BenchmarkBulkLoop(b *testing.B) {
	p := benchStack(b)
	d := p.publisher(DaprOptions{})
	batches := make([][]Message, 1+b.N/100)
	for i := range batches {
		for j := range 100 {
			m := sized(fmt.Sprint(i*100+j), 400)
			batches[i] = append(batches[i], m)
		}
	}
	b.ResetTimer()
	var next atomic.Int64
	over := make(chan []error)
	for range 8 {
		go func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(batches) {
					over <- nil
					return
				}
				if errs := d.Publish(b.Context(), task.Topic, batches[i]); errs != nil {
					over <- errs
					return
				}
			}
		}()
	}
	for range 8 {
		if errs := <-over; errs != nil {
			b.Error(errors.Join(errs...))
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkRelay(b *testing.B) {
	p := benchStack(b)
	o := newOutbox(nil)
	o.size = 400
	for id := range int64(b.N) {
		o.add(task.Topic, id)
	}
	r := NewRelay(RelayOptions{Outbox: o, Publisher: p.publisher(DaprOptions{})})
	b.ResetTimer()
	over := make(chan error, 1)
	ctx, cancel := context.WithCancel(b.Context())
	go func() { over <- r.Run(ctx) }()
	until(b, 10*time.Minute, "everything published", func() bool { return o.allPublished() })
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	cancel()
	if err := <-over; err != nil {
		b.Error(err)
	}
}

// benchStack is a broker with a warm sidecar before it.
func benchStack(b *testing.B) *process {
	b.Helper()
	broker := openBroker(b, kfake.SeedTopics(12, task.Topic))
	p := newSidecar(b, broker.addr())
	p.start()
	if errs := p.publisher(DaprOptions{}).Publish(b.Context(), task.Topic, messages(keys(100)...)); errs != nil {
		b.Fatal(errs[0])
	}
	return p
}
