package kafka_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

// cluster starts an in-process broker with a topic named "t" of n partitions.
func cluster(t testing.TB, n int32, opts ...kfake.Opt) (*kfake.Cluster, kafka.Options) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(n, "t")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, kafka.Options{Brokers: c.ListenAddrs()}
}

func client(t testing.TB, o kafka.Options, extra ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kafka.NewClient(o, extra...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// manual lets a test choose the partition of a record.
func manual() kgo.Opt { return kgo.RecordPartitioner(kgo.ManualPartitioner()) }

// epoch is the time of the first record of a test.
var epoch = time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)

// record is for partition p of topic t, sec seconds after epoch.
func record(p int32, sec int, value string) *kgo.Record {
	return &kgo.Record{Topic: "t", Partition: p, Value: []byte(value), Timestamp: epoch.Add(time.Duration(sec) * time.Second)}
}

func produce(t testing.TB, cl *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	if err := kafka.Produce(t.Context(), cl, records); err != nil {
		t.Fatal(err)
	}
}

// transactional makes a client for transact.
func transactional(t testing.TB, o kafka.Options) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.TransactionalID("tx"), manual())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// transact produces the records in a transaction of their own.
func transact(t testing.TB, cl *kgo.Client, end kgo.TransactionEndTry, records ...*kgo.Record) {
	t.Helper()
	if err := cl.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, records...)
	if err := cl.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

// tailed returns the values that a tail which ends by itself emits.
func tailed(t testing.TB, o kafka.Options, opts kafka.TailOptions) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if opts.Topics == nil {
		opts.Topics = []string{"t"}
	}
	var got []string
	err := kafka.Tail(ctx, o, opts, func(records []*kgo.Record) error {
		for _, r := range records {
			got = append(got, string(r.Value))
		}
		return nil
	})
	if err != nil {
		t.Fatalf("tail: %v (after %q)", err, got)
	}
	return got
}

func values(prefix string, from, to int) []string {
	var vs []string
	for i := from; i < to; i++ {
		vs = append(vs, fmt.Sprint(prefix, i))
	}
	return vs
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func rng(t testing.TB, s string) kafka.Range {
	t.Helper()
	r, err := kafka.ParseRange(s, epoch.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var errStop = errors.New("stop")

func portOf(t testing.TB, addr string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// emptyBatch is a record batch without records whose last offset is last, as
// compaction leaves it.
func emptyBatch(last int32) []byte {
	b := kmsg.NewRecordBatch()
	b.Length = 49 // all that follows it, with no records
	b.Magic = 2
	b.LastOffsetDelta = last
	b.PartitionLeaderEpoch = -1
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	raw := b.AppendTo(nil)
	sum := crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(raw[17:], sum)
	return raw
}
