package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// committed returns the offsets of group g in topic t by partition, and how many members
// it has.
func committed(t *testing.T, o kafka.Options) (offsets map[int32]int64, members int) {
	t.Helper()
	const group = "g"
	adm := kadm.NewClient(client(t, o))
	fetched, err := adm.FetchOffsets(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	offsets = make(map[int32]int64)
	fetched.Each(func(r kadm.OffsetResponse) { offsets[r.Partition] = r.At })
	described, err := adm.DescribeGroups(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return offsets, len(described[group].Members)
}

func TestGroupGoesOnWhereItWas(t *testing.T) {
	_, o := cluster(t, 2)
	cl := client(t, o, manual())
	for i := range 10 {
		produce(t, cl, record(int32(i%2), i, fmt.Sprint("v", i)))
	}
	opts := kafka.TailOptions{Group: "g", ExitAtEnd: true, Num: 3}
	var got []string
	for range 2 {
		some := tailed(t, o, opts)
		equal(t, len(some), 3)
		got = append(got, some...)
	}
	offsets, members := committed(t, o)
	equal(t, offsets[0]+offsets[1], int64(6))
	equal(t, members, 0)

	opts.Num = 0
	got = append(got, tailed(t, o, opts)...)
	slices.Sort(got)
	equal(t, got, values("v", 0, 10))
	equal(t, tailed(t, o, opts), []string(nil))
	offsets, members = committed(t, o)
	equal(t, offsets, map[int32]int64{0: 5, 1: 5})
	equal(t, members, 0)
}

func TestGroupStarts(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), record(0, 0, "v0"), record(0, 1, "v1"))
	equal(t, tailed(t, o, kafka.TailOptions{Group: "end", ExitAtEnd: true, Range: rng(t, "end")}), []string(nil))
	equal(t, tailed(t, o, kafka.TailOptions{Group: "start", ExitAtEnd: true, Range: rng(t, "start")}), values("v", 0, 2))
}

// What a filter leaves out is behind the group all the same.
func TestGroupPassesWhatIsNotWanted(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), record(0, 0, "a0"), record(0, 1, "b1"), record(0, 2, "a2"), record(0, 3, "b3"))
	opts := kafka.TailOptions{Group: "g", ExitAtEnd: true, Filter: kafka.Filter{Grep: regexp.MustCompile("b")}}
	equal(t, tailed(t, o, opts), []string{"b1", "b3"})
	offsets, _ := committed(t, o)
	equal(t, offsets, map[int32]int64{0: 4})
}

func TestGroupEndsOnTransactionMarkers(t *testing.T) {
	_, o := cluster(t, 1)
	cl := transactional(t, o)
	for i := range 3 {
		transact(t, cl, kgo.TryCommit, record(0, i, fmt.Sprint("v", i)))
	}
	transact(t, cl, kgo.TryAbort, record(0, 3, "aborted"))
	opts := kafka.TailOptions{Group: "g", ExitAtEnd: true, ReadCommitted: true}
	equal(t, tailed(t, o, opts), values("v", 0, 3))
	offsets, _ := committed(t, o)
	equal(t, offsets, map[int32]int64{0: 8})
	equal(t, tailed(t, o, opts), []string(nil))
}

// What couldn't be printed is not committed.
func TestGroupCommitsOnlyWhatWasFlushed(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), record(0, 0, "v0"), record(0, 1, "v1"))
	printed := 0
	flush := func() error {
		if printed == 0 { // It is idle until the group has been joined, too.
			return nil
		}
		return errStop
	}
	opts := kafka.TailOptions{Topics: []string{"t"}, Group: "g", ExitAtEnd: true, Idle: flush}
	count := func(records []*kgo.Record) error {
		printed += len(records)
		return nil
	}
	if err := kafka.Tail(t.Context(), o, opts, count); !errors.Is(err, errStop) {
		t.Fatalf("got %v", err)
	}
	offsets, members := committed(t, o)
	equal(t, offsets, map[int32]int64{})
	equal(t, members, 0)
}

// Two members share the partitions, and the second takes over at once when the first
// is interrupted.
func TestGroupMemberLeaves(t *testing.T) {
	_, o := cluster(t, 2)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"), record(1, 1, "v1"))
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan string, 100)
	done := make(chan error, 1)
	go func() {
		done <- kafka.Tail(ctx, o, kafka.TailOptions{Topics: []string{"t"}, Group: "g"}, func(records []*kgo.Record) error {
			for _, r := range records {
				first <- string(r.Value)
			}
			return nil
		})
	}()
	got := []string{<-first, <-first}
	slices.Sort(got)
	equal(t, got, values("v", 0, 2))
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	begin := time.Now()
	produce(t, cl, record(0, 2, "v2"), record(1, 3, "v3"))
	got = tailed(t, o, kafka.TailOptions{Group: "g", Num: 2})
	slices.Sort(got)
	equal(t, got, values("v", 2, 4))
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("the group was blocked for %v", took)
	}
}

func TestGroupOfAnUnknownTopic(t *testing.T) {
	_, o := cluster(t, 1)
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"tt"}, Group: "g"}, nil)
	var unknown *kafka.UnknownTopicError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
}
