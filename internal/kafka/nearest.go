package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// An UnknownTopicError says that a topic doesn't exist.
type UnknownTopicError struct {
	Topic   string
	Nearest string // the existing topic with the most similar name; empty when none is similar
}

func (e *UnknownTopicError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("topic %q doesn't exist; did you mean %q?", e.Topic, e.Nearest)
	}
	return fmt.Sprintf("topic %q doesn't exist; 'todoctl topics list' shows those that do", e.Topic)
}

// Absent tells whether a broker's error about a topic means that there is none of that
// name. For a name that no topic can have Kafka has an error of its own.
func Absent(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.InvalidTopicException)
}

// Nearest returns the name of known that is nearest to name, at most two edits
// (a rune inserted, removed, replaced, or two neighbours swapped) away and fewer
// than name has runes, or "". Of several the first wins.
func Nearest(name string, known []string) string {
	best, fewest := "", min(3, len([]rune(name)))
	for _, k := range known {
		if n := edits([]rune(name), []rune(k)); n < fewest {
			best, fewest = k, n
		}
	}
	return best
}

// edits is the optimal string alignment distance of a and b.
func edits(a, b []rune) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// partitionsOf returns the partitions of each topic, in order, from one metadata
// request, which never creates a topic. Of a topic that doesn't exist it returns
// an *UnknownTopicError.
func partitionsOf(ctx context.Context, cl *kgo.Client, topics []string) (map[string][]int32, error) {
	found := make(map[string][]int32, len(topics))
	resp, err := metadata(ctx, cl, topics)
	if err != nil {
		return nil, err
	}
	for _, t := range resp.Topics {
		name := ""
		if t.Topic != nil {
			name = *t.Topic
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil:
		case Absent(err):
			return nil, Unknown(ctx, cl, name)
		default:
			return nil, fmt.Errorf("read metadata of topic %q: %w", name, err)
		}
		for _, p := range t.Partitions {
			found[name] = append(found[name], p.Partition)
		}
		slices.Sort(found[name])
	}
	return found, nil
}

// Unknown is the error for a topic that doesn't exist: it asks the cluster for the
// names of all topics to find the nearest, and does without if that fails.
func Unknown(ctx context.Context, cl *kgo.Client, topic string) *UnknownTopicError {
	e := &UnknownTopicError{Topic: topic}
	resp, err := metadata(ctx, cl, nil)
	if err != nil {
		return e
	}
	known := make(map[string]bool, len(resp.Topics))
	for _, t := range resp.Topics {
		if t.Topic != nil && !t.IsInternal {
			known[*t.Topic] = true
		}
	}
	e.Nearest = Nearest(topic, slices.Sorted(maps.Keys(known)))
	return e
}

// metadata asks for the named topics, or for all when topics is nil, past any cache.
func metadata(ctx context.Context, cl *kgo.Client, topics []string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range topics {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return resp, nil
}
