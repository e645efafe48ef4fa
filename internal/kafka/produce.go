package kafka

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
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
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := 2 * clientTimeout(cl)
	stalled := time.AfterFunc(patience, func() { cancel(errStalled) })
	defer stalled.Stop()

	failed := make(map[*kgo.Record]error) // promises are called one at a time
	var open sync.WaitGroup
	open.Add(len(records))
	for _, r := range records {
		cl.Produce(ctx, r, func(r *kgo.Record, err error) {
			defer open.Done()
			if err == nil {
				stalled.Reset(patience)
				return
			}
			if errors.Is(err, context.Canceled) {
				err = context.Cause(ctx)
			}
			failed[r] = err
		})
	}
	_ = cl.Flush(ctx) // it only hurries the records, whose promises tell the errors
	open.Wait()
	return failures(records, failed)
}

func failures(records []*kgo.Record, failed map[*kgo.Record]error) error {
	if len(failed) == 0 {
		return nil
	}
	errs := make([]error, 0, len(failed))
	for i, r := range records {
		if err, ok := failed[r]; ok {
			errs = append(errs, &RecordError{Index: i, Record: r, Err: err})
		}
	}
	return errors.Join(errs...)
}
