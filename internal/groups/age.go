package groups

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	ageWait    = 10 * time.Second // for all of a description
	ageFetches = 16               // in flight
)

// An ageReader tells how long ago the first record was written that a group hasn't
// read yet. No request gives the time of an offset (ListOffsets goes the other way),
// so the record itself is read: one fetch a lagging partition, more only where it
// finds no record. Transaction markers, compacted gaps and aborted records are no
// records; those of an open transaction are.
type ageReader struct {
	cl     *kgo.Client
	topics kadm.TopicDetails
	now    func() time.Time
}

// read sets LagSeconds, or Error where it can't be told.
func (r ageReader) read(ctx context.Context, list []Description) error {
	bounded, cancel := context.WithTimeout(ctx, ageWait)
	defer cancel()
	var wg sync.WaitGroup
	slots := make(chan struct{}, ageFetches)
	for _, d := range list {
		for i := range d.Partitions {
			p := &d.Partitions[i]
			if p.Lag == nil {
				continue
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				r.age(bounded, p)
			})
		}
	}
	wg.Wait()
	return ctx.Err()
}

func (r ageReader) age(ctx context.Context, p *Partition) {
	seconds := 0.0
	if *p.Lag > 0 {
		from := *p.Start
		if p.Current != nil {
			from = max(from, *p.Current)
		}
		at, found, err := r.first(ctx, p, from)
		if err != nil {
			p.Error = fmt.Sprintf("read the record at %d: %v", from, err)
			return
		}
		if found {
			seconds = max(r.now().Sub(at), 0).Seconds()
		}
	}
	p.LagSeconds = &seconds
}

// first returns the time of the partition's first record at or after the offset and
// before its end, and whether there is one.
func (r ageReader) first(ctx context.Context, p *Partition, offset int64) (time.Time, bool, error) {
	isolation := kgo.ReadCommitted()
	topic := r.topics[p.Topic]
	leader := topic.Partitions[p.Partition].Leader
	for committed := true; offset < *p.End; {
		answer, err := kafka.FetchAt{Topic: p.Topic, ID: topic.ID, Partition: p.Partition, Offset: offset, Leader: leader, Committed: committed}.Ask(ctx, r.cl)
		if err != nil {
			return time.Time{}, false, err
		}
		if errors.Is(kerr.ErrorForCode(answer.ErrorCode), kerr.OffsetOutOfRange) && answer.LogStartOffset > offset {
			offset = answer.LogStartOffset // deleted since the offsets were listed
			continue
		}
		fetched, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
			Offset: offset, IsolationLevel: isolation, Topic: p.Topic, Partition: p.Partition,
		}, answer, kgo.DefaultDecompressor(), nil)
		switch {
		case fetched.Err != nil:
			return time.Time{}, false, fetched.Err
		case len(fetched.Records) > 0:
			first := fetched.Records[0]
			return first.Timestamp, first.Offset < *p.End, nil
		case next > offset:
			offset = next
		case committed:
			committed, isolation = false, kgo.ReadUncommitted() // at the last stable offset
		default:
			return time.Time{}, false, nil
		}
	}
	return time.Time{}, false, nil
}
