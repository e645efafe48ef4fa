package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const oneBatch = 4 << 10 // a batch is never cut (KIP-74), and one is enough

// A FetchAt asks a partition's leader once for what is at an offset. It is for what the
// client's own fetching doesn't tell: responses without records, and single records of
// many partitions.
type FetchAt struct {
	Topic     string
	ID        [16]byte // of the topic, by its metadata
	Partition int32
	Offset    int64
	Leader    int32 // below 0 for none
	Committed bool  // only up to the last stable offset
}

// Ask returns the first batch at or behind the offset, if there is one, without waiting
// for more. The partition's own error is left in the answer.
func (f FetchAt) Ask(ctx context.Context, cl *kgo.Client) (*kmsg.FetchResponseTopicPartition, error) {
	if f.Leader < 0 {
		return nil, kerr.LeaderNotAvailable
	}
	kresp, err := cl.Broker(int(f.Leader)).RetriableRequest(ctx, f.request())
	if err != nil {
		return nil, err
	}
	resp := kresp.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
		return nil, fmt.Errorf("broker %d left the partition out of its answer", f.Leader)
	}
	return &resp.Topics[0].Partitions[0], nil
}

func (f FetchAt) request() *kmsg.FetchRequest {
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition = f.Partition
	partition.FetchOffset = f.Offset
	partition.PartitionMaxBytes = oneBatch
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic = f.Topic
	topic.TopicID = f.ID
	topic.Partitions = append(topic.Partitions, partition)
	req := kmsg.NewPtrFetchRequest()
	req.MaxBytes = oneBatch
	req.Topics = append(req.Topics, topic)
	if f.Committed {
		req.IsolationLevel = 1
	}
	return req
}
