package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

func TestTailRanges(t *testing.T) {
	_, o := cluster(t, 1)
	cl := client(t, o, manual())
	for i := range 20 {
		produce(t, cl, record(0, i, fmt.Sprint("v", i)))
	}
	for _, tt := range []struct {
		offset string
		want   []string
	}{
		{":end", values("v", 0, 20)},
		{"start:end", values("v", 0, 20)},
		{"5:8", values("v", 5, 8)},
		{":3", values("v", 0, 3)},
		{"-4:end", values("v", 16, 20)},
		{"+18:end", values("v", 18, 20)},
		{"15:1000", values("v", 15, 20)},
		{"1000:2000", nil},
		{"@2026-02-17T12:00:05Z:2026-02-17T12:00:08Z", values("v", 5, 8)},
		{"@2026-02-17T12:00:05Z:3s", values("v", 5, 8)},
		{"@:2026-02-17T12:00:02Z", values("v", 0, 2)},
		{"@2026-02-17T12:00:18Z:end", values("v", 18, 20)},
		{"@2026-02-18:end", nil},
	} {
		t.Run(tt.offset, func(t *testing.T) {
			equal(t, tailed(t, o, kafka.TailOptions{Range: rng(t, tt.offset)}), tt.want)
		})
	}
}

func TestTailExitsAtEnd(t *testing.T) {
	_, o := cluster(t, 3)
	cl := client(t, o, manual())
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), []string(nil))
	for i := range 5 {
		produce(t, cl, record(1, i, fmt.Sprint("v", i)))
	}
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), values("v", 0, 5))
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Num: 2}), values("v", 0, 2))
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Partitions: []int32{0}}), []string(nil))
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Last: 2}), values("v", 3, 5))
}

func TestTailLastIsMergedByTime(t *testing.T) {
	_, o := cluster(t, 3)
	cl := client(t, o, manual())
	for i := range 30 {
		produce(t, cl, record(int32(i%3), i, fmt.Sprint("v", i)))
	}
	// One partition's clock runs backwards: its order wins over time.
	produce(t, cl, record(0, 31, "a"), record(0, 28, "b"))
	want := []string{"v24", "v25", "v26", "v27", "v28", "v29", "a", "b"}
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Last: 8}), want)
}

func TestTailEndsOnTransactionMarkers(t *testing.T) {
	_, o := cluster(t, 1)
	cl := transactional(t, o)
	for i := range 6 {
		transact(t, cl, kgo.TryCommit, record(0, i, fmt.Sprint("v", i)))
	}
	transact(t, cl, kgo.TryAbort, record(0, 6, "aborted"))
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), append(values("v", 0, 6), "aborted"))
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, ReadCommitted: true}), values("v", 0, 6))
	// Half of the last offsets are markers, so the last five records lie further back.
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Last: 5, ReadCommitted: true}), values("v", 1, 6))

	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, record(0, 7, "open"))
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, ReadCommitted: true}), values("v", 0, 6))
}

func TestTailEndsOnCompactedGaps(t *testing.T) {
	c, o := cluster(t, 1)
	if err := c.CreateTopic("compact", 1, map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"}); err != nil {
		t.Fatal(err)
	}
	cl := client(t, o, manual())
	for i := range 10 {
		r := record(0, i, fmt.Sprint("v", i))
		r.Topic, r.Key = "compact", []byte{byte('a' + i%2)}
		produce(t, cl, r)
	}
	c.Compact()
	got := tailed(t, o, kafka.TailOptions{Topics: []string{"compact"}, ExitAtEnd: true})
	if len(got) == 0 || len(got) == 10 {
		t.Fatalf("nothing was compacted, or all: %q", got)
	}
	// The range ends in the gap: the record behind it, or the silence, must end it.
	equal(t, tailed(t, o, kafka.TailOptions{Topics: []string{"compact"}, Range: rng(t, "0:5")}), []string(nil))
}

// A batch that compaction has emptied keeps its last offset, and no client hands it out.
func TestTailEndsOnEmptiedBatches(t *testing.T) {
	c, o := cluster(t, 1)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"), record(0, 1, "v1"))
	c.ControlKey(int16(kmsg.ListOffsets), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := kreq.(*kmsg.ListOffsetsRequest)
		resp := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, rt := range req.Topics {
			st := kmsg.NewListOffsetsResponseTopic()
			st.Topic = rt.Topic
			for _, rp := range rt.Partitions {
				sp := kmsg.NewListOffsetsResponseTopicPartition()
				sp.Partition = rp.Partition
				if rp.Timestamp == -1 {
					sp.Offset = 2
				}
				st.Partitions = append(st.Partitions, sp)
			}
			resp.Topics = append(resp.Topics, st)
		}
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return emptied(kreq.(*kmsg.FetchRequest), 2), nil, true
	})
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), []string(nil))
}

// emptied answers a fetch with a batch without records that spans the offsets from 0
// to end, or with nothing from end on.
func emptied(req *kmsg.FetchRequest, end int64) *kmsg.FetchResponse {
	resp := req.ResponseKind().(*kmsg.FetchResponse)
	for _, rt := range req.Topics {
		st := kmsg.NewFetchResponseTopic()
		st.Topic, st.TopicID = rt.Topic, rt.TopicID
		for _, rp := range rt.Partitions {
			sp := kmsg.NewFetchResponseTopicPartition()
			sp.Partition, sp.HighWatermark, sp.LastStableOffset = rp.Partition, end, end
			if rp.FetchOffset < end {
				sp.RecordBatches = emptyBatch(int32(end - 1))
			}
			st.Partitions = append(st.Partitions, sp)
		}
		resp.Topics = append(resp.Topics, st)
	}
	return resp
}

func TestTailEndsWhereRecordsWereDeletedMeanwhile(t *testing.T) {
	c, o := cluster(t, 1)
	cl := client(t, o, manual())
	for i := range 10 {
		produce(t, cl, record(0, i, fmt.Sprint("v", i)))
	}
	var once atomic.Bool
	c.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if once.CompareAndSwap(false, true) { // the ends are resolved, nothing is read yet
			if err := c.DeleteRecords("t", 0, 10); err != nil {
				t.Error(err)
			}
		}
		return nil, nil, false
	})
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), []string(nil))
}

// Each partition has a place of its own to begin and to end at.
func TestTailReadsTheSpansItIsGiven(t *testing.T) {
	_, o := cluster(t, 2)
	cl := client(t, o, manual())
	for i := range 6 {
		produce(t, cl, record(0, i, fmt.Sprint("a", i)), record(1, i, fmt.Sprint("b", i)))
	}
	got := tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Resolved: func(_ context.Context, _ *kgo.Client, spans kafka.Spans) error {
		equal(t, spans, kafka.Spans{"t": {0: {From: 0, To: 6, End: 6}, 1: {From: 0, To: 6, End: 6}}})
		spans["t"][0] = kafka.Span{From: 1, To: 3, End: 6}
		spans["t"][1] = kafka.Span{From: 4, To: 6, End: 6}
		return nil
	}})
	slices.Sort(got)
	equal(t, got, []string{"a1", "a2", "b4", "b5"})

	refuse := func(context.Context, *kgo.Client, kafka.Spans) error { return errStop }
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, Resolved: refuse}, nil)
	if !errors.Is(err, errStop) {
		t.Errorf("got %v", err)
	}
}

func TestTailUnknownTopic(t *testing.T) {
	c, o := cluster(t, 1, kfake.SeedTopics(1, "task-events"), kfake.AllowAutoTopicCreation())
	for _, opts := range []kafka.TailOptions{
		{Topics: []string{"task-evnts"}},
		{Topics: []string{"task-evnts"}, Last: 10},
	} {
		err := kafka.Tail(t.Context(), o, opts, func([]*kgo.Record) error { return nil })
		var unknown *kafka.UnknownTopicError
		if !errors.As(err, &unknown) {
			t.Fatalf("error %v is no UnknownTopicError", err)
		}
		equal(t, *unknown, kafka.UnknownTopicError{Topic: "task-evnts", Nearest: "task-events"})
	}
	if c.TopicInfo("task-evnts") != nil {
		t.Error("reading created the topic")
	}
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, Partitions: []int32{7}}, nil)
	if err == nil || err.Error() != `topic "t" has no partition 7: its 1 partitions count from 0` {
		t.Errorf("got %v", err)
	}
}

// follow runs a tail that follows until the test ends it, and returns the values.
func follow(t *testing.T, o kafka.Options, opts kafka.TailOptions) (next func() string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	got := make(chan string, 1000)
	done := make(chan error, 1)
	if opts.Patterns == nil {
		opts.Topics = []string{"t"}
	}
	go func() {
		done <- kafka.Tail(ctx, o, opts, func(records []*kgo.Record) error {
			for _, r := range records {
				got <- string(r.Value)
			}
			return nil
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("tail: %v", err)
		}
	})
	return func() string {
		t.Helper()
		select {
		case v := <-got:
			return v
		case <-time.After(20 * time.Second):
			t.Fatal("no record within 20 s")
			return ""
		}
	}
}

func TestTailFollows(t *testing.T) {
	_, o := cluster(t, 2)
	cl := client(t, o, manual())
	for i := range 5 {
		produce(t, cl, record(0, i, fmt.Sprint("old", i)))
	}
	idle := make(chan struct{}, 100)
	next := follow(t, o, kafka.TailOptions{Last: 2, Idle: func() error { idle <- struct{}{}; return nil }})
	equal(t, []string{next(), next()}, values("old", 3, 5))
	<-idle
	for i := range 10 {
		produce(t, cl, record(int32(i%2), 10+i, fmt.Sprint("v", i)))
		equal(t, next(), fmt.Sprint("v", i))
	}
}

func TestTailWaitsBehindTheEnd(t *testing.T) {
	_, o := cluster(t, 1)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"))
	next := follow(t, o, kafka.TailOptions{Range: rng(t, "3")})
	for i := range 5 {
		produce(t, cl, record(0, i, fmt.Sprint("v", i+1)))
	}
	equal(t, []string{next(), next()}, values("v", 3, 5))
}

func TestTailReadsAddedPartitions(t *testing.T) {
	_, o := cluster(t, 1)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"))
	next := follow(t, o, kafka.TailOptions{Refresh: 10 * time.Millisecond})
	equal(t, next(), "v0")
	req := kmsg.NewPtrCreatePartitionsRequest()
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = "t", 2
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	fresh := client(t, o, manual()) // which knows the new partition
	produce(t, fresh, record(1, 1, "v1"))
	equal(t, next(), "v1")
}

func TestTailOfADeletedTopicEnds(t *testing.T) {
	c, o := cluster(t, 1)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"))
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, Refresh: 10 * time.Millisecond},
		func([]*kgo.Record) error { return c.DeleteTopic("t") })
	if err == nil || err.Error() != `topic "t" was deleted` {
		t.Errorf("got %v", err)
	}
}

// The broker goes away in mid-tail and comes back on its port with its records.
func TestTailOutlivesItsBroker(t *testing.T) {
	dir := t.TempDir()
	start := func(port int) *kfake.Cluster {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "t"), kfake.DataDir(dir), kfake.SyncWrites(), kfake.Ports(port))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := start(0)
	addr := c.ListenAddrs()[0]
	o := kafka.Options{Brokers: []string{addr}}
	produce(t, client(t, o, manual()), record(0, 0, "v0"), record(0, 1, "v1"))

	trouble := make(chan error, 100)
	next := follow(t, o, kafka.TailOptions{Trouble: func(err error) { trouble <- err }})
	equal(t, []string{next(), next()}, values("v", 0, 2))
	c.Close()
	var unreachable *kafka.UnreachableError
	if err := <-trouble; !errors.As(err, &unreachable) {
		t.Fatalf("trouble is %v", err)
	}
	c = start(portOf(t, addr))
	t.Cleanup(c.Close)
	if err := <-trouble; err != nil {
		t.Fatalf("more trouble: %v", err)
	}
	produce(t, client(t, o, manual()), record(0, 2, "v2"), record(0, 3, "v3"))
	equal(t, []string{next(), next()}, values("v", 2, 4))
	if n := len(trouble); n != 0 {
		t.Errorf("told of trouble %d times more", n)
	}
}

func TestTailSurvivesPassingErrors(t *testing.T) {
	c, o := cluster(t, 1)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"), record(0, 1, "v1"))
	var n atomic.Int32
	c.ControlKey(int16(kmsg.Fetch), func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if n.Add(1) > 2 {
			return nil, nil, false
		}
		req := kreq.(*kmsg.FetchRequest)
		resp := emptied(req, 0)
		for i := range resp.Topics {
			resp.Topics[i].Partitions[0].ErrorCode = kerr.NotLeaderForPartition.Code
		}
		return resp, nil, true
	})
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true}), values("v", 0, 2))
}

func TestTailKeepsOrder(t *testing.T) {
	_, o := cluster(t, 3)
	cl := client(t, o)
	const n = 30_000
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = &kgo.Record{Topic: "t", Key: fmt.Append(nil, i%50), Value: fmt.Append(nil, i)}
	}
	produce(t, cl, records...)
	seen := 0
	last := make(map[int32]int64)
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, ExitAtEnd: true}, func(rs []*kgo.Record) error {
		for _, r := range rs {
			if next, ok := last[r.Partition]; ok && r.Offset != next {
				return fmt.Errorf("%d after %d", r.Offset, next)
			}
			last[r.Partition] = r.Offset + 1
		}
		seen += len(rs)
		return nil
	})
	if err != nil || seen != n {
		t.Errorf("saw %d of %d: %v", seen, n, err)
	}
}

func TestTailStopsOnEmitError(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), record(0, 0, "v0"))
	for _, opts := range []kafka.TailOptions{{}, {Last: 1}} {
		opts.Topics = []string{"t"}
		err := kafka.Tail(t.Context(), o, opts, func([]*kgo.Record) error { return errStop })
		if !errors.Is(err, errStop) {
			t.Errorf("got %v", err)
		}
	}
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, Range: rng(t, "end"), Idle: func() error { return errStop }}, nil)
	if !errors.Is(err, errStop) {
		t.Errorf("got %v", err)
	}
}

func TestTailOfSeveralTopics(t *testing.T) {
	_, o := cluster(t, 1, kfake.SeedTopics(2, "u"))
	cl := client(t, o, manual())
	other := record(1, 1, "u0")
	other.Topic = "u"
	produce(t, cl, record(0, 0, "t0"), other)
	got := tailed(t, o, kafka.TailOptions{Topics: []string{"t", "u"}, ExitAtEnd: true})
	slices.Sort(got)
	equal(t, got, []string{"t0", "u0"})
	equal(t, tailed(t, o, kafka.TailOptions{Topics: []string{"t", "u"}, ExitAtEnd: true, Last: 5}), []string{"t0", "u0"})
}
