package main

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/task"
)

// endOffsets are the ends of the topic's partitions.
func endOffsets(ctx context.Context, client *kgo.Client) (map[int32]int64, error) {
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, task.Topic)
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

// records is how many records the topic holds; nothing is deleted during a run.
func records(ctx context.Context, client *kgo.Client) (int64, error) {
	ends, err := endOffsets(ctx, client)
	var n int64
	for _, end := range ends {
		n += end
	}
	return n, err
}
