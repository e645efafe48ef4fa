// Package rabbitmq is Dapr's pub/sub on RabbitMQ with a publisher of our own.
//
// The publisher of components-contrib 1.18.4 answers "published" also when RabbitMQ has
// refused a message or has gone before it confirmed it (pubsub/rabbitmq/rabbitmq.go,
// publishSync), so an event in flight is lost when the broker dies. This one succeeds
// only with a confirmation, always asks for one, and publishes in bulk: the messages of a
// request in their order, without a wait for each.
//
// It also declares the queues that are named in its metadata, since RabbitMQ drops what is
// published while no queue is there:
//
//	queues: "reminders=todo-reminder-worker-reminders,reminders-dlq=reminders-dlq"
//
// They are durable classic queues with a single active consumer; a Subscription to one
// says singleActiveConsumer: "true".
//
// Each subscription is a component of components-contrib with a connection of its own. On
// one channel, as there, two subscriptions that reconnect at once take each other's answers
// ("unexpected command received"), and the broker hands events to a consumer that nobody
// reads. The metadata are those of components-contrib, but for maxLen and maxLenBytes of
// the queues that are declared here.
package rabbitmq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/dapr/components-contrib/pubsub"
	contrib "github.com/dapr/components-contrib/pubsub/rabbitmq"
	"github.com/dapr/kit/logger"
	amqp "github.com/rabbitmq/amqp091-go"
)

// errUnconfirmed says that a message may not be there.
var errUnconfirmed = errors.New("rabbitmq pub/sub: the broker has not confirmed the message")

type rabbitMQ struct {
	pubsub.PubSub // of components-contrib, not connected: it tells its features and metadata

	log      logger.Logger
	metadata pubsub.Metadata
	settings settings
	turn     chan struct{} // holds one token: who has it may use the fields below
	conn     *amqp.Connection
	channel  *amqp.Channel
	declared map[string]bool // exchanges, on this channel
	closed   bool

	subscribers []pubsub.PubSub
}

// New returns a component that connects in Init.
func New(log logger.Logger) pubsub.PubSub {
	r := &rabbitMQ{PubSub: contrib.NewRabbitMQ(log), log: log, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// Features adds bulk publishing to what the component can do.
func (r *rabbitMQ) Features() []pubsub.Feature {
	return append(r.PubSub.Features(), pubsub.FeatureBulkPublish)
}

// Init connects and declares the queues.
func (r *rabbitMQ) Init(ctx context.Context, metadata pubsub.Metadata) error {
	var err error
	if r.settings, err = parse(metadata.Properties); err != nil {
		return err
	}
	r.metadata = metadata
	if err := r.acquire(ctx); err != nil {
		return err
	}
	defer r.release()
	return r.open()
}

// Subscribe subscribes until ctx ends or the component is closed.
func (r *rabbitMQ) Subscribe(ctx context.Context, req pubsub.SubscribeRequest, handler pubsub.Handler) error {
	subscriber := contrib.NewRabbitMQ(r.log)
	metadata := r.metadata
	metadata.Properties = maps.Clone(metadata.Properties) // Init writes to it
	if err := subscriber.Init(ctx, metadata); err != nil {
		return err
	}
	if err := subscriber.Subscribe(ctx, req, handler); err != nil {
		return errors.Join(err, subscriber.Close())
	}
	<-r.turn
	defer r.release()
	r.subscribers = append(r.subscribers, subscriber)
	return nil
}

func (r *rabbitMQ) declareQueues() error {
	for _, queue := range r.settings.queues {
		if err := r.declareQueue(queue); err != nil {
			return fmt.Errorf("queue %q for topic %q: %w", queue.name, queue.topic, err)
		}
	}
	return nil
}

func (r *rabbitMQ) declareQueue(q queue) error {
	if err := r.declareExchange(q.topic); err != nil {
		return err
	}
	args := amqp.Table{amqp.QueueTypeArg: amqp.QueueTypeClassic, amqp.SingleActiveConsumerArg: true}
	if _, err := r.channel.QueueDeclare(q.name, r.settings.Durable, r.settings.DeleteWhenUnused, false, false, args); err != nil {
		return err
	}
	return r.channel.QueueBind(q.name, "", q.topic, false, nil)
}

// Publish returns nil once the broker has confirmed the message.
func (r *rabbitMQ) Publish(ctx context.Context, req *pubsub.PublishRequest) error {
	entries := []pubsub.BulkMessageEntry{{EntryId: "0", Event: req.Data, Metadata: req.Metadata}}
	_, err := r.BulkPublish(ctx, &pubsub.BulkPublishRequest{Entries: entries, PubsubName: req.PubsubName, Topic: req.Topic})
	return err
}

// BulkPublish implements pubsub.BulkPublisher.
func (r *rabbitMQ) BulkPublish(ctx context.Context, req *pubsub.BulkPublishRequest) (pubsub.BulkPublishResponse, error) {
	var response pubsub.BulkPublishResponse
	var last error
	confirmations, sendErr := r.send(ctx, req)
	for i, entry := range req.Entries {
		err := sendErr
		if i < len(confirmations) {
			err = awaitConfirmation(ctx, confirmations[i])
		}
		if err != nil {
			last = err
			response.FailedEntries = append(response.FailedEntries, pubsub.BulkPublishResponseFailedEntry{EntryId: entry.EntryId, Error: err})
		}
	}
	if last == nil {
		return response, nil
	}
	return response, pubsub.NewRetriableError(last)
}

func awaitConfirmation(ctx context.Context, c *amqp.DeferredConfirmation) error {
	acked, err := c.WaitContext(ctx)
	if err == nil && !acked {
		err = errUnconfirmed
	}
	return err
}

// send sends the messages in order, up to the first that can't be sent.
func (r *rabbitMQ) send(ctx context.Context, req *pubsub.BulkPublishRequest) ([]*amqp.DeferredConfirmation, error) {
	if err := r.acquire(ctx); err != nil {
		return nil, err
	}
	defer r.release()
	if err := r.open(); err != nil {
		return nil, err
	}
	if err := r.declareExchange(req.Topic); err != nil {
		r.disconnect()
		return nil, err
	}
	var confirmations []*amqp.DeferredConfirmation
	for _, entry := range req.Entries {
		routingKey, message := r.settings.message(entry.Event, merged(req.Metadata, entry.Metadata))
		c, err := r.channel.PublishWithDeferredConfirmWithContext(ctx, req.Topic, routingKey, false, false, message)
		if err != nil {
			r.disconnect()
			return confirmations, err
		}
		confirmations = append(confirmations, c)
	}
	return confirmations, nil
}

// acquire waits for its turn no longer than ctx: a broker that is short of memory or disk
// stops reading, and holds up whoever writes.
func (r *rabbitMQ) acquire(ctx context.Context) error {
	select {
	case <-r.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *rabbitMQ) release() { r.turn <- struct{}{} }

// open connects unless there is a connection, and declares the queues each time: a broker
// that dies within seconds of a declaration has forgotten it.
func (r *rabbitMQ) open() error {
	if r.closed {
		return pubsub.NewTerminalError(errors.New("component is closed"))
	}
	if r.channel != nil && !r.channel.IsClosed() {
		return nil
	}
	r.disconnect()
	var err error
	if r.conn, err = r.settings.dial(); err != nil {
		return fmt.Errorf("rabbitmq pub/sub: %w", err)
	}
	r.declared = make(map[string]bool)
	if r.channel, err = r.conn.Channel(); err == nil {
		err = r.channel.Confirm(false)
	}
	if err == nil {
		err = r.declareQueues()
	}
	if err != nil {
		r.disconnect()
		return fmt.Errorf("rabbitmq pub/sub: %w", err)
	}
	return nil
}

func (r *rabbitMQ) declareExchange(name string) error {
	if r.declared[name] {
		return nil
	}
	if err := r.channel.ExchangeDeclare(name, r.settings.ExchangeKind, r.settings.Durable, r.settings.DeleteWhenUnused, false, false, nil); err != nil {
		return fmt.Errorf("rabbitmq pub/sub: exchange %q: %w", name, err)
	}
	r.declared[name] = true
	return nil
}

func (r *rabbitMQ) disconnect() {
	if r.conn != nil {
		_ = r.conn.Close() // it is given up, whatever the broker says
	}
	r.conn, r.channel = nil, nil
}

// Close ends the connections. What awaits its confirmation fails.
func (r *rabbitMQ) Close() error {
	<-r.turn
	r.closed = true
	r.disconnect()
	subscribers := r.subscribers
	r.release()
	var errs []error
	for _, s := range subscribers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// merged is the metadata of the request under that of the entry.
func merged(request, entry map[string]string) map[string]string {
	all := make(map[string]string, len(request)+len(entry))
	for _, of := range []map[string]string{request, entry} {
		for key, value := range of {
			all[strings.TrimSpace(key)] = value
		}
	}
	return all
}
