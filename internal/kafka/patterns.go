package kafka

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// matching returns the names of the topics that a pattern matches, in order; internal
// topics are none of them. That there are none is an error.
func matching(ctx context.Context, cl *kgo.Client, patterns []*regexp.Regexp) ([]string, error) {
	resp, err := metadata(ctx, cl, nil)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range resp.Topics {
		if matches(patterns, t) {
			names = append(names, *t.Topic)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("no topic matches %s; 'todoctl topics list' shows those that exist", patternText(patterns))
	}
	slices.Sort(names)
	return names, nil
}

func matches(patterns []*regexp.Regexp, t kmsg.MetadataResponseTopic) bool {
	return t.Topic != nil && !t.IsInternal && !errors.Is(kerr.ErrorForCode(t.ErrorCode), kerr.UnknownTopicOrPartition) &&
		slices.ContainsFunc(patterns, func(re *regexp.Regexp) bool { return re.MatchString(*t.Topic) })
}

func patternText(patterns []*regexp.Regexp) string {
	texts := make([]string, len(patterns))
	for i, re := range patterns {
		texts[i] = fmt.Sprintf("%q", re)
	}
	return strings.Join(texts, " or ")
}

// discoverMatching begins to read the topics and partitions that have come to match,
// from their start, and forgets those that are gone.
func (c *consumer) discoverMatching(ctx context.Context) error {
	resp, err := metadata(ctx, c.cl, nil)
	if err != nil {
		return ctx.Err() // no broker answers: the reading itself goes on trying
	}
	there := make(map[string]bool)
	for _, t := range resp.Topics {
		if !matches(c.tail.Patterns, t) {
			continue
		}
		there[*t.Topic] = true
		for _, p := range t.Partitions {
			c.add(*t.Topic, p.Partition)
		}
	}
	for topic := range c.places {
		if !there[topic] {
			c.drop(topic)
		}
	}
	return nil
}

// drop forgets a topic that is gone, so that one of the same name is read as another.
func (c *consumer) drop(topic string) {
	for _, pl := range c.places[topic] {
		if !pl.done {
			c.open--
		}
	}
	delete(c.places, topic)
	c.cl.PurgeTopicsFromConsuming(topic)
}
