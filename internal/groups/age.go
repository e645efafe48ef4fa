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
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	ageWait    = 10 * time.Second // for all of a description
	ageFetches = 16               // in flight
	fetchBytes = 4 << 10          // a batch is never cut (KIP-74), and one is enough
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
	for committed := true; offset < *p.End; {
		answer, err := r.fetch(ctx, p, offset, committed)
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

// fetch asks the leader once for what is at the offset, without waiting for more.
func (r ageReader) fetch(ctx context.Context, p *Partition, offset int64, committed bool) (*kmsg.FetchResponseTopicPartition, error) {
	t := r.topics[p.Topic]
	leader := t.Partitions[p.Partition].Leader
	if leader < 0 {
		return nil, kerr.LeaderNotAvailable
	}
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = p.Partition
	partition.FetchOffset = offset
	partition.PartitionMaxBytes = fetchBytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = p.Topic
	topic.TopicID = t.ID
	topic.Partitions = append(topic.Partitions, partition)
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes = fetchBytes
	req.Topics = append(req.Topics, topic)
	if committed {
		req.IsolationLevel = 1
	}
	kresp, err := r.cl.Broker(int(leader)).RetriableRequest(ctx, req)
	if err != nil {
		return nil, err
	}
	resp := kresp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("broker %d left the partition out of its answer", leader)
	}
	return &resp.Topics[0].Partitions[0], nil
}
