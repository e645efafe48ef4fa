package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/task"
)

// endOffsets are the ends of a topic's partitions.
func endOffsets(ctx context.Context, client *kgo.Client, topic string) (map[int32]int64, error) {
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}

// records is how many records the topics of a change hold; nothing is deleted during a
// run.
func records(ctx context.Context, client *kgo.Client) (n int64, err error) {
	for _, topic := range []string{task.Topic, task.UpdatesTopic} {
		ends, err := endOffsets(ctx, client, topic)
		if err != nil {
			return 0, err
		}
		for _, end := range ends {
			n += end
		}
	}
	return n, nil
}
