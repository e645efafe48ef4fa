package publish

import (
	"context"
	"errors"
	"fmt"
)

// A Message is one event on its way to a topic.
type Message struct {
	ID          string // unique in its batch: the entry id of a bulk publish
	Key         string // of the Kafka record; messages of one key share a partition
	ContentType string
	Data        []byte
}

// A Publisher sends messages to a topic.
type Publisher interface {
	// Publish returns nil when the broker has acknowledged every message
	// (acks=all). Otherwise it returns one error a message, nil where that
	// message was acknowledged. An error says that the message may not be there,
	// not that it isn't: an answer can be lost.
	//
	// errors.Is(err, ErrRefused) tells a refusal from an outage: every other
	// error is an outage, and the same message may pass later.
	Publish(ctx context.Context, topic string, batch []Message) []error
}

var (
	// ErrRefused means that sending this very message again won't help by
	// itself: it is too large, malformed, or its topic doesn't take it.
	ErrRefused = errors.New("refused")

	// ErrTopicRefused is an ErrRefused for which the topic is the reason, not the
	// message: the topic doesn't exist or may not be written to. It holds for
	// every message until an operator changes the topic.
	ErrTopicRefused = fmt.Errorf("topic %w", ErrRefused)
)

// all gives every message of a batch the same error.
func all(n int, err error) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
