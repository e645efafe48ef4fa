package kafka

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partitioner puts a key on the partition that Sarama's default hash partitioner
// chooses, which Dapr's Kafka pubsub uses (FNV-1a, 32 bits); records without a key
// are spread.
func partitioner() kgo.Partitioner {
	return kgo.StickyKeyPartitioner(kgo.SaramaCompatHasher(fnv1a))
}

func fnv1a(key []byte) uint32 {
	h := fnv.New32a()
	_, _ = h.Write(key) // never fails
	return h.Sum32()
}

// RecordBytes is the bytes of the record's key, value and headers.
func RecordBytes(r *kgo.Record) int64 {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += len(h.Key) + len(h.Value)
	}
	return int64(n)
}

// A RecordError is the failure to produce one record.
type RecordError struct {
	Index  int // of the record in the call to Produce, from 0
	Record *kgo.Record
	Err    error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("produce record %d to topic %q: %v", e.Index, e.Record.Topic, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }

var errStalled = errors.New("no broker acknowledges it")

// Produce writes the records and returns when each is acknowledged by all in-sync
// replicas or has failed. A retry within the call never repeats a record
// (idempotent producer), and the records of one partition keep their order. When
// nothing is acknowledged for twice the client's timeout it gives up; what was on
// its way then may have arrived all the same. It sets Partition and Offset of the
// records, and Timestamp where it is zero. The error joins one *RecordError per
// record that failed, in the order of the call.
//
// The client is one of NewClient: franz-go's own delivery timeout can't be used
// here, since it counts from the record's timestamp, and an old event may be
// produced again.
func Produce(ctx context.Context, cl *kgo.Client, records []*kgo.Record) error {
	failed := make(map[int]error)
	Stream(ctx, cl, slices.All(records), func(i int, err error) {
		if err != nil {
			failed[i] = err
		}
	})
	return failures(records, failed)
}

// Stream produces records as they come, without waiting for one before the next, and
// returns when each is settled. What holds for Produce holds for it: acknowledged by
// all in-sync replicas, no repeats, the order of each partition, and an end when
// nothing is acknowledged for twice the client's timeout; no further record is taken
// then. It waits for the next record without bound.
//
// The key that stands with a record tells which one is settled: settled is called once
// for each, never twice at a time, with nil when it is acknowledged, but from another
// goroutine.
func Stream[K any](ctx context.Context, cl *kgo.Client, records iter.Seq2[K, *kgo.Record], settled func(K, error)) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var f flight
	var watch sync.WaitGroup
	landed := make(chan struct{})
	watch.Go(func() { f.watch(2*clientTimeout(cl), landed, cancel) })

	for key, r := range records {
		f.open.Add(1)
		f.begun.Add(1)
		cl.Produce(ctx, r, func(_ *kgo.Record, err error) { // promises are called one at a time
			defer f.open.Done()
			f.ended.Add(1)
			if errors.Is(err, context.Canceled) {
				err = context.Cause(ctx)
			}
			settled(key, err)
		})
		if ctx.Err() != nil {
			break
		}
	}
	_ = cl.Flush(ctx) // it only hurries the records, whose promises tell the errors
	f.open.Wait()
	close(landed)
	watch.Wait()
}

// A flight is what of a Stream is under way.
type flight struct {
	open         sync.WaitGroup
	begun, ended atomic.Int64 // records
}

// watch calls stalled when records are under way and none ends for as long as patience.
func (f *flight) watch(patience time.Duration, landed <-chan struct{}, stalled func(error)) {
	const looks = 20 // in patience
	tick := time.NewTicker(patience / looks)
	defer tick.Stop()
	ended, idle := int64(0), 0
	for {
		select {
		case <-landed:
			return
		case <-tick.C:
		}
		now := f.ended.Load()
		if idle++; now != ended || now == f.begun.Load() {
			ended, idle = now, 0
		}
		if idle > looks {
			stalled(errStalled)
			return
		}
	}
}

func failures(records []*kgo.Record, failed map[int]error) error {
	if len(failed) == 0 {
		return nil
	}
	errs := make([]error, 0, len(failed))
	for i, r := range records {
		if err, ok := failed[i]; ok {
			errs = append(errs, &RecordError{Index: i, Record: r, Err: err})
		}
	}
	return errors.Join(errs...)
}

// KeepPartitions puts a record whose Partition isn't negative on that partition, and
// any other on the one for its key. A client of NewClient takes it as an extra option.
func KeepPartitions() kgo.Opt { return kgo.RecordPartitioner(keeping{partitioner()}) }

type keeping struct{ kgo.Partitioner }

func (k keeping) ForTopic(topic string) kgo.TopicPartitioner {
	return keepingTopic{k.Partitioner.ForTopic(topic)}
}

type keepingTopic struct{ kgo.TopicPartitioner }

func (k keepingTopic) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition >= 0 || k.TopicPartitioner.RequiresConsistency(r)
}

func (k keepingTopic) Partition(r *kgo.Record, n int) int {
	if r.Partition >= 0 {
		return int(r.Partition)
	}
	return k.TopicPartitioner.Partition(r, n)
}

// OnNewBatch spreads records without a key (kgo.TopicPartitionerOnNewBatch).
func (k keepingTopic) OnNewBatch() {
	if next, ok := k.TopicPartitioner.(kgo.TopicPartitionerOnNewBatch); ok {
		next.OnNewBatch()
	}
}
