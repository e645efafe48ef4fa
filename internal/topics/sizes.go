package topics

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// readSizes sets the sizes on disk that the brokers tell: one request to each. Where
// one doesn't answer in time, isn't allowed to or can't, they stay unknown.
func readSizes(ctx context.Context, cl *kgo.Client, list []Description) {
	asked := make(kadm.TopicsSet)
	for _, d := range list {
		for _, p := range d.Details {
			asked.Add(d.Topic, p.Partition)
		}
	}
	if len(asked) == 0 {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, kafka.DefaultTimeout)
	defer cancel()
	dirs, _ := kadm.NewClient(cl).DescribeAllLogDirs(bounded, asked) // what failed is missing there
	for i := range list {
		list[i].sizeFrom(dirs)
	}
}

// sizeFrom takes the size of each partition from its leader.
func (d *Description) sizeFrom(dirs kadm.DescribedAllLogDirs) {
	total, known := int64(0), true
	for i, p := range d.Details {
		found := false
		dirs[p.Leader].EachPartition(func(l kadm.DescribedLogDirPartition) {
			if l.Topic == d.Topic && l.Partition == p.Partition && !l.IsFuture {
				d.Details[i].Size, found = &l.Size, true
				total += l.Size
			}
		})
		known = known && found
	}
	if known {
		d.Size = &total
	}
}
