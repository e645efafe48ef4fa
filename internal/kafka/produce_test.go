package kafka_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

// Every record of a stream is settled once, and the next is taken before the one
// before is.
func TestStreamDoesNotWait(t *testing.T) {
	c, o := cluster(t, 1)
	taken := make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		<-taken // no record is acknowledged before all are taken
		return nil, nil, false
	})
	const n = 1000
	records := func(yield func(int, *kgo.Record) bool) {
		for i := range n {
			if !yield(i, record(0, i, "v")) {
				return
			}
		}
		close(taken)
	}
	var got []int
	kafka.Stream(t.Context(), client(t, o), records, func(i int, err error) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, i)
	})
	var want []int
	for i := range n {
		want = append(want, i)
	}
	equal(t, got, want)
}

// A broker that takes records and never answers ends the stream, and what isn't
// settled is told.
func TestStreamGivesUpOnASilentBroker(t *testing.T) {
	c, o := cluster(t, 1)
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		<-over
		return nil, nil, false
	})
	o.Timeout = 200 * time.Millisecond
	stopped := false
	records := func(yield func(int, *kgo.Record) bool) {
		for i := 0; yield(i, record(0, i, "v")); i++ {
			if i == 100_000_000 {
				t.Error("records are taken for ever")
				return
			}
		}
		stopped = true
	}
	failed := 0
	kafka.Stream(t.Context(), client(t, o, kgo.MaxBufferedRecords(100)), records, func(_ int, err error) {
		if err == nil || errors.Is(err, t.Context().Err()) {
			t.Errorf("settled with %v", err)
		}
		failed++
	})
	if failed == 0 || !stopped {
		t.Errorf("%d failed, stopped %v", failed, stopped)
	}
}

func TestKeepPartitions(t *testing.T) {
	_, o := cluster(t, 5, kfake.SeedTopics(5, "u"))
	var records []*kgo.Record
	for i := range int32(50) {
		kept := &kgo.Record{Topic: "t", Key: []byte("k"), Partition: i % 5, Value: []byte("v")}
		hashed := &kgo.Record{Topic: "u", Key: []byte{byte(i)}, Partition: -1, Value: []byte("v")}
		records = append(records, kept, hashed)
	}
	want := make([]int32, len(records))
	for i, r := range records {
		want[i] = r.Partition
		if r.Topic == "u" {
			want[i] = sarama(r.Key, 5)
		}
	}
	produce(t, client(t, o, kafka.KeepPartitions()), records...)
	got := slices.Collect(func(yield func(int32) bool) {
		for _, r := range records {
			if !yield(r.Partition) {
				return
			}
		}
	})
	equal(t, got, want)
}
