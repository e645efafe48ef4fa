package kafka_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// copied is what of a record must survive a replay, without the replay's own headers.
type copied struct {
	Partition  int32
	Key, Value []byte
	Headers    []kgo.RecordHeader
	Time       int64 // Unix ms
}

// contents reads a topic to its end; each partition is in its order.
func contents(t testing.TB, o kafka.Options, topic string) (map[int32][]copied, map[int32][]*kgo.Record) {
	t.Helper()
	stripped, whole := make(map[int32][]copied), make(map[int32][]*kgo.Record)
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{topic}, ExitAtEnd: true, ReadCommitted: true}, func(records []*kgo.Record) error {
		for _, r := range records {
			c := copied{r.Partition, r.Key, r.Value, nil, r.Timestamp.UnixMilli()}
			for _, h := range r.Headers {
				if h.Key != kafka.ReplayIDHeader && h.Key != kafka.ReplayOriginHeader {
					c.Headers = append(c.Headers, h)
				}
			}
			stripped[r.Partition] = append(stripped[r.Partition], c)
			whole[r.Partition] = append(whole[r.Partition], r)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return stripped, whole
}

func replay(t testing.TB, o kafka.ReplayOptions) kafka.ReplayState {
	t.Helper()
	r, err := kafka.OpenReplay(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r.State()
}

// twoTopics is a cluster with a topic "t" of 3 partitions and others: "wide" of 5,
// "narrow" of 2.
func twoTopics(t testing.TB) kafka.Options {
	t.Helper()
	_, o := cluster(t, 3, kfake.SeedTopics(5, "wide"), kfake.SeedTopics(2, "narrow"))
	return o
}

// odd are records with all that is easily lost: tombstones, null and empty keys and
// values, duplicate and null headers, bytes that are no text, old times.
func odd() []*kgo.Record {
	records := []*kgo.Record{
		record(0, 0, "plain"),
		{Topic: "t", Partition: 1, Key: []byte("k"), Timestamp: epoch},
		{Topic: "t", Partition: 1, Key: []byte{}, Value: []byte{}, Timestamp: epoch.Add(-50 * 365 * 24 * time.Hour)},
		{Topic: "t", Partition: 2, Key: []byte{0xff, 0}, Value: []byte{0xfe}, Timestamp: epoch, Headers: []kgo.RecordHeader{
			{Key: "b", Value: []byte("1")}, {Key: "a", Value: nil}, {Key: "b", Value: []byte{}}, {Key: "", Value: []byte{0xff}},
		}},
	}
	for i := range 200 {
		r := record(int32(i%3), i, fmt.Sprint("v", i))
		r.Key = fmt.Append(nil, i%7)
		records = append(records, r)
	}
	return records
}

func TestReplayKeepsEverything(t *testing.T) {
	o := twoTopics(t)
	produce(t, client(t, o, manual()), odd()...)
	state := replay(t, kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "wide"})
	want, _ := contents(t, o, "t")
	got, whole := contents(t, o, "wide")
	equal(t, got, want)
	last := whole[1][1]
	n := len(last.Headers)
	equal(t, []string{string(last.Headers[n-2].Value), string(last.Headers[n-1].Value)}, []string{state.ID, "t[1]@1"})
	if total := state.Total(); total.Records != 204 || total.Again != 0 || !state.KeepsPartitions {
		t.Errorf("state %+v", state)
	}
}

// Where the target has fewer partitions, a key's records stay together, where Dapr
// would put them, and those without key of one partition too.
func TestReplayIntoFewerPartitions(t *testing.T) {
	o := twoTopics(t)
	records := odd()
	records = append(records, record(2, 1, "n1"), record(2, 2, "n2"))
	produce(t, client(t, o, manual()), records...)
	direct := &kgo.Record{Topic: "narrow", Key: []byte("3")}
	produce(t, client(t, o), direct)
	state := replay(t, kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "narrow"})
	if state.KeepsPartitions {
		t.Error("partitions can't be kept")
	}
	got, _ := contents(t, o, "narrow")
	for _, c := range got[1-direct.Partition] {
		if string(c.Key) == "3" {
			t.Errorf("key 3 is on partition %d, and on %d when it is produced", c.Partition, direct.Partition)
		}
	}
	var keyless []string
	for _, c := range got[0] {
		if c.Key == nil && string(c.Value) != "plain" { // which is of another partition
			keyless = append(keyless, string(c.Value))
		}
	}
	equal(t, keyless, []string{"n1", "n2"})
	if n, want := len(got[0])+len(got[1]), len(records)+1; n != want {
		t.Errorf("%d records, want %d", n, want)
	}
}

// A topic that is replayed into itself is read to the end that it had.
func TestReplayIntoItself(t *testing.T) {
	o := twoTopics(t)
	produce(t, client(t, o, manual()), odd()...)
	r, err := kafka.OpenReplay(t.Context(), kafka.ReplayOptions{From: o, Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if !r.Same() {
		t.Error("the same topic isn't recognised")
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	// A second one sees what the first one did.
	second := replay(t, kafka.ReplayOptions{From: o, Topic: "t"})
	if total := second.Total(); total.Records != 408 || total.Again != 204 {
		t.Errorf("second replay: %+v", total)
	}
	third := replay(t, kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "wide", KeepText: "not replayed",
		Keep: func(r *kgo.Record) bool { return !kafka.Replayed(r) }})
	if total := third.Total(); total.Records != 204 || total.Filtered != 3*204 {
		t.Errorf("third replay: %+v", total)
	}
	want, _ := contents(t, o, "wide")
	got, _ := contents(t, o, "t")
	for p := range got {
		equal(t, got[p][:len(want[p])], want[p])
	}
}

// Two brokers that happen to have one cluster id are two clusters all the same.
func TestReplayToOtherBrokers(t *testing.T) {
	from, to := twoTopics(t), twoTopics(t)
	produce(t, client(t, from, manual()), odd()...)
	r, err := kafka.OpenReplay(t.Context(), kafka.ReplayOptions{From: from, To: to, Topic: "t"})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if r.Same() {
		t.Error("another cluster is taken for the same")
	}
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want, _ := contents(t, from, "t")
	got, _ := contents(t, to, "t")
	equal(t, got, want)
}

// Aborted transactions and markers stay behind, unless they are asked for.
func TestReplayOfTransactions(t *testing.T) {
	o := twoTopics(t)
	tx := transactional(t, o)
	produce(t, client(t, o, manual()), record(0, 0, "a"))
	transact(t, tx, kgo.TryAbort, record(0, 1, "aborted"))
	transact(t, tx, kgo.TryCommit, record(0, 2, "b"))
	state := replay(t, kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "wide"})
	equal(t, state.Partitions[0].Next, state.Partitions[0].To)
	equal(t, tailed(t, o, kafka.TailOptions{Topics: []string{"wide"}, ExitAtEnd: true}), []string{"a", "b"})
	replay(t, kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "narrow", Uncommitted: true})
	equal(t, tailed(t, o, kafka.TailOptions{Topics: []string{"narrow"}, ExitAtEnd: true}), []string{"a", "aborted", "b"})
}

func TestReplayRange(t *testing.T) {
	o := twoTopics(t)
	var records []*kgo.Record
	for i := range 30 {
		records = append(records, record(int32(i%3), i, fmt.Sprint(i)))
	}
	produce(t, client(t, o, manual()), records...)
	r, err := kafka.OpenReplay(t.Context(), kafka.ReplayOptions{
		From: o, Topic: "t", ToTopic: "wide", Range: rng(t, "2:-3"), Partitions: []int32{0, 2}, DryRun: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.Count(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, r.State().Partitions, []kafka.ReplayPartition{
		{Partition: 0, From: 2, To: 7, Next: 2, Records: 5, Bytes: 8},
		{Partition: 2, From: 2, To: 7, Next: 2, Records: 5, Bytes: 9},
	})
	equal(t, len(tailed(t, o, kafka.TailOptions{Topics: []string{"wide"}, ExitAtEnd: true})), 0)
}

// A replay that is interrupted goes on where it was, and repeats only what the state
// file didn't know of.
func TestReplayResumes(t *testing.T) {
	o := twoTopics(t)
	produce(t, client(t, o, manual()), odd()...)
	file := filepath.Join(t.TempDir(), "new", "state.json")
	opts := kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "wide", StateFile: file}
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	opts.Keep = func(*kgo.Record) bool {
		if seen++; seen == 100 {
			cancel()
		}
		return true
	}
	r, err := kafka.OpenReplay(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	if _, err := kafka.OpenReplay(t.Context(), opts); err == nil || errors.Is(err, kafka.ErrUnfinished) {
		t.Errorf("a second replay with the state file of one that isn't closed: %v", err)
	}
	r.Close()

	if _, err := kafka.OpenReplay(t.Context(), opts); !errors.Is(err, kafka.ErrUnfinished) {
		t.Errorf("begun anew over an unfinished one: %v", err)
	}
	other := opts
	other.Resume, other.KeepText = true, "key=7"
	if _, err := kafka.OpenReplay(t.Context(), other); err == nil {
		t.Error("resumed with another filter")
	}
	opts.Resume = true
	state := replay(t, opts)
	equal(t, state.ID, r.State().ID)
	want, _ := contents(t, o, "t")
	got, _ := contents(t, o, "wide")
	equal(t, got, want) // everything in flight was waited for, so nothing is there twice
	equal(t, state.Total().Records, int64(204))
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the state file is still there: %v", err)
	}
	if _, err := kafka.OpenReplay(t.Context(), opts); !errors.Is(err, kafka.ErrNothingToResume) {
		t.Errorf("resumed what is done: %v", err)
	}
}

// The topic that comes back under its name is another one.
func TestReplayDoesNotResumeIntoARecreatedTopic(t *testing.T) {
	o := twoTopics(t)
	produce(t, client(t, o, manual()), odd()...)
	file := filepath.Join(t.TempDir(), "state.json")
	opts := kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "wide", StateFile: file}
	r, err := kafka.OpenReplay(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	state := r.State()
	state.Target.TopicID = "018f0000-0000-7000-8000-000000000000"
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	opts.Resume = true
	if _, err := kafka.OpenReplay(t.Context(), opts); err == nil {
		t.Error("resumed into another topic")
	}
	opts.Resume, opts.Restart = false, true
	replay(t, opts)
	want, _ := contents(t, o, "t")
	got, _ := contents(t, o, "wide")
	equal(t, got, want)
}

// A record that the target refuses ends the replay with its place, and the state
// doesn't pass it.
func TestReplayStopsAtARefusedRecord(t *testing.T) {
	c, o := cluster(t, 1, kfake.SeedTopics(1, "wide"))
	produce(t, client(t, o, manual()), record(0, 0, "a"), record(0, 1, "b"))
	c.ControlKey(0, refuseProduce)
	file := filepath.Join(t.TempDir(), "state.json")
	opts := kafka.ReplayOptions{From: o, Topic: "t", ToTopic: "wide", StateFile: file}
	r, err := kafka.OpenReplay(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	err = r.Run(t.Context())
	r.Close()
	if err == nil || !cmp.Equal(r.State().Partitions[0].Next, int64(0)) {
		t.Fatalf("%v, state %+v", err, r.State())
	}
	t.Log(err)
	opts.Resume = true
	replay(t, opts)
	equal(t, tailed(t, o, kafka.TailOptions{Topics: []string{"wide"}, ExitAtEnd: true}), []string{"a", "b"})
}

func TestReplayOfUnknownTopics(t *testing.T) {
	o := twoTopics(t)
	for _, opts := range []kafka.ReplayOptions{{From: o, Topic: "nope"}, {From: o, Topic: "t", ToTopic: "wied"}} {
		_, err := kafka.OpenReplay(t.Context(), opts)
		var unknown *kafka.UnknownTopicError
		if !errors.As(err, &unknown) {
			t.Errorf("%v", err)
		}
	}
}

// What the source took is taken again, if the target's limit allows it.
func TestReplayOfALargeRecord(t *testing.T) {
	_, o := cluster(t, 1)
	limit := "4000000"
	configs := map[string]*string{"max.message.bytes": &limit}
	for _, topic := range []string{"large", "wide"} {
		if _, err := kadm.NewClient(client(t, o)).CreateTopic(t.Context(), 1, 1, configs, topic); err != nil {
			t.Fatal(err)
		}
	}
	value := make([]byte, 3<<20)
	produce(t, client(t, o, kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.NoCompression())), &kgo.Record{Topic: "large", Value: value})
	replay(t, kafka.ReplayOptions{From: o, Topic: "large", ToTopic: "wide"})
	got, _ := contents(t, o, "wide")
	if len(got[0]) != 1 || len(got[0][0].Value) != len(value) {
		t.Errorf("%d records", len(got[0]))
	}
}

// A target that is gone ends the replay once its patience is over, with nothing
// counted as done.
func TestReplayGivesUpOnADeadTarget(t *testing.T) {
	from := twoTopics(t)
	dead, to := cluster(t, 3)
	produce(t, client(t, from, manual()), odd()...)
	told := make(chan error, 100)
	r, err := kafka.OpenReplay(t.Context(), kafka.ReplayOptions{
		From: from, To: to, Topic: "t", StateFile: filepath.Join(t.TempDir(), "state.json"), Patience: 100 * time.Millisecond,
		Trouble: func(err error) { told <- err },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	dead.Close()
	if err := r.Run(t.Context()); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
	if total := r.State().Total(); total.Records != 0 || total.Next != 0 {
		t.Errorf("state %+v", total)
	}
	if err := <-told; err == nil {
		t.Error("trouble was not told")
	}
}
