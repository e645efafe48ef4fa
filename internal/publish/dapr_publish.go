package publish

import (
	"context"
	"errors"

	dapr "github.com/dapr/go-sdk/client"
)

// suspicion is how many messages in a row may fail on their own, with none
// acknowledged, before the rest is taken to fail as well.
const suspicion = 3

// Publish implements Publisher. A batch goes out in bulk, in requests of at most
// 3 MiB. When a request fails without saying which message was the reason, its
// messages are sent again one by one: those that had arrived are on the topic
// twice then, with the same id.
func (d *Dapr) Publish(ctx context.Context, topic string, batch []Message) []error {
	errs := make([]error, len(batch))
	failed := false
	for start := 0; start < len(batch); {
		end := start + callSize(batch[start:])
		sent := d.send(ctx, topic, batch[start:end])
		failed = failed || sent != nil
		copy(errs[start:], sent)
		if err := common(sent); err != nil {
			copy(errs[end:], all(len(batch)-end, err))
			break
		}
		start = end
	}
	if failed {
		return errs
	}
	return nil
}

// common is the reason that holds for messages not sent yet as well: all of these
// failed, and not for what they are.
func common(errs []error) error {
	var last error
	for _, err := range errs {
		if err == nil || errors.Is(err, ErrRefused) && !errors.Is(err, ErrTopicRefused) {
			return nil
		}
		last = err
	}
	return last
}

// callSize is how many of the messages go into one request, at least one.
func callSize(batch []Message) int {
	size := len(batch[0].Data)
	for i, m := range batch[1:] {
		if size += len(m.Data); size > maxCall {
			return i + 1
		}
	}
	return len(batch)
}

// send publishes what fits into one request.
func (d *Dapr) send(ctx context.Context, topic string, batch []Message) []error {
	if len(batch) == 1 {
		if err := d.one(ctx, topic, batch[0]); err != nil {
			return []error{err}
		}
		return nil
	}
	err := d.bulk(ctx, topic, batch)
	switch {
	case err == nil:
		return nil
	case oneByOne(err):
		return d.each(ctx, topic, batch)
	default:
		return all(len(batch), classify(err))
	}
}

func (d *Dapr) one(ctx context.Context, topic string, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	options := []dapr.PublishEventOption{dapr.PublishEventWithContentType(m.ContentType)}
	if m.Key != "" {
		options = append(options, dapr.PublishEventWithMetadata(map[string]string{"partitionKey": m.Key}))
	}
	if err := d.sidecar.PublishEvent(ctx, d.pubsub, topic, m.Data, options...); err != nil {
		return classify(err)
	}
	return nil
}

func (d *Dapr) bulk(ctx context.Context, topic string, batch []Message) error {
	ctx, cancel := context.WithTimeout(ctx, d.timeout)
	defer cancel()
	entries := make([]any, len(batch))
	for i, m := range batch {
		entry := dapr.PublishEventsEvent{EntryID: m.ID, Data: m.Data, ContentType: m.ContentType}
		if m.Key != "" {
			// Of the entry, not of the request: the request's would override it.
			entry.Metadata = map[string]string{"partitionKey": m.Key}
		}
		entries[i] = entry
	}
	return d.sidecar.PublishEvents(ctx, d.pubsub, topic, entries).Error
}

// each publishes one by one, which tells the message that is refused from its
// neighbours. It gives up on the rest when the topic or the broker is the reason.
func (d *Dapr) each(ctx context.Context, topic string, batch []Message) []error {
	errs := make([]error, len(batch))
	failed, acked := 0, 0
	for i, m := range batch {
		err := d.one(ctx, topic, m)
		errs[i] = err
		switch {
		case err == nil:
			acked++
		case errors.Is(err, ErrTopicRefused), sidecarAway(err):
			copy(errs[i:], all(len(batch)-i, err))
			return errs
		case !errors.Is(err, ErrRefused):
			if failed++; failed == suspicion && acked == 0 {
				copy(errs[i:], all(len(batch)-i, err))
				return errs
			}
		}
	}
	if acked == len(batch) {
		return nil
	}
	return errs
}
