package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func (c *consumer) refresh() time.Duration { return cmp.Or(c.tail.Refresh, 10*time.Second) }

// discover begins to read added partitions and fails when a topic is gone. A topic
// must be missing twice in a row: a broker that has just started may not know it yet.
func (c *consumer) discover(ctx context.Context) error {
	if c.tail.Patterns != nil {
		return c.discoverMatching(ctx)
	}
	resp, err := metadata(ctx, c.cl, slices.Sorted(maps.Keys(c.places)))
	if err != nil {
		return ctx.Err() // no broker answers: the reading itself goes on trying
	}
	was := c.gone
	c.gone = ""
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil:
			for _, p := range t.Partitions {
				c.add(*t.Topic, p.Partition)
			}
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			if was == *t.Topic {
				return fmt.Errorf("topic %q was deleted", was)
			}
			c.gone = *t.Topic
		}
	}
	return nil
}

// add reads a partition from its start, unless it is read already or partitions
// were named.
func (c *consumer) add(topic string, partition int32) {
	places := c.places[topic]
	if places[partition] != nil || len(c.tail.Partitions) > 0 {
		return
	}
	c.begin(topic, partition, Span{To: -1})
	c.cl.AddConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}})
}

// A watch tells of brokers that stop answering and of the first that answers again,
// once it is armed: at the first contact, one of several seeds may well be dead.
type watch struct {
	trouble func(error)

	mu    sync.Mutex
	armed bool
	away  bool
}

func (w *watch) arm() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.armed = true
}

var _ kgo.HookBrokerConnect = (*watch)(nil)

// OnBrokerConnect is called by the client after every attempt to connect.
func (w *watch) OnBrokerConnect(meta kgo.BrokerMetadata, _ time.Duration, _ net.Conn, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case !w.armed, errors.Is(err, context.Canceled):
	case err != nil && !w.away:
		addr := net.JoinHostPort(meta.Host, strconv.Itoa(int(meta.Port)))
		w.away = true
		w.trouble(&UnreachableError{Brokers: []string{addr}, Wait: DefaultTimeout, Err: err})
	case err == nil && w.away:
		w.away = false
		w.trouble(nil)
	}
}
