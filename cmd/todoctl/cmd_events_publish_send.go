package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/stack"
)

// sendAll sends every entry. What is under way when the command is interrupted is
// waited for.
func (a *app) sendAll(cmd *cobra.Command, f publishFlags, p *publishing) error {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	if f.direct {
		if err := onKafka(cmd, cfg); err != nil {
			return err
		}
		return sendDirect(cmd.Context(), cfg, f, p)
	}
	dapr, err := openDapr(cmd.Context(), cfg)
	if err != nil {
		return err
	}
	defer dapr.Close() //nolint:errcheck // nothing is under way
	p.began = time.Now()
	postings := func(yield func(*input.Entry, publish.Posting) bool) {
		for e := range p.entries(cmd.Context()) {
			m := publish.Message{Key: string(e.Record.Key), ContentType: input.ContentType, Data: e.Record.Value}
			if !yield(e, publish.Posting{Topic: e.Record.Topic, Message: m}) {
				return
			}
		}
	}
	publish.Stream(context.WithoutCancel(cmd.Context()), dapr, postings, p.settle)
	return nil
}

func sendDirect(ctx context.Context, cfg *config.Config, f publishFlags, p *publishing) error {
	client, err := clusterOf(ctx, cfg, f.clientOpts()...)
	if err != nil {
		return err
	}
	defer client.Close()
	if p.topic != "" {
		if err := checkTopic(ctx, client, p.topic, f.partition); err != nil {
			return err
		}
	}
	p.began = time.Now()
	records := func(yield func(*input.Entry, *kgo.Record) bool) {
		for e := range p.entries(ctx) {
			if f.partition >= 0 {
				e.Record.Partition = f.partition
			}
			if !yield(e, &e.Record) {
				return
			}
		}
	}
	kafka.Stream(context.WithoutCancel(ctx), client, records, func(e *input.Entry, err error) {
		if err != nil {
			err = publish.ClassifyKafka(err)
		}
		p.settle(e, err)
	})
	return nil
}

func compressions() []string { return []string{"none", "gzip", "snappy", "lz4", "zstd"} }

func (f *publishFlags) clientOpts() []kgo.Opt {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	opts := []kgo.Opt{
		kgo.ProducerBatchCompression(codecs[f.compression]),
		kgo.ProducerBatchMaxBytes(1048588), // Kafka's own message.max.bytes
		kgo.MaxBufferedBytes(64 << 20),
	}
	if f.keepPartition || f.partition >= 0 {
		opts = append(opts, kafka.KeepPartitions())
	}
	return opts
}

// checkTopic says at once that a topic or its partition isn't there.
func checkTopic(ctx context.Context, client *kgo.Client, topic string, partition int32) error {
	found, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("look for topic %q: %w", topic, err)
	}
	detail := found[topic]
	switch {
	case kafka.Absent(detail.Err):
		return fmt.Errorf("%w; 'todoctl topics list' shows the topics, 'todoctl topics setup' creates the stack's own", kafka.Unknown(ctx, client, topic))
	case detail.Err != nil:
		return fmt.Errorf("topic %q: %w", topic, detail.Err)
	case int(partition) >= len(detail.Partitions):
		return fmt.Errorf("topic %q has no partition %d: its %d partitions count from 0", topic, partition, len(detail.Partitions))
	}
	return nil
}

// openDapr is attachDapr for commands that can do without.
func openDapr(ctx context.Context, cfg *config.Config) (*publish.Dapr, error) {
	dapr, err := attachDapr(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("%w; or publish without a sidecar: --direct", err)
	}
	return dapr, nil
}

// attachDapr returns a publisher through a sidecar that is there.
func attachDapr(ctx context.Context, cfg *config.Config) (*publish.Dapr, error) {
	_, metadata, err := stack.Attach(ctx, stack.AttachOptions{HTTPPort: cfg.Int("dapr-http-port"), APIToken: cfg.Get("dapr-api-token")})
	if err == nil {
		err = stack.CheckPubsub(metadata, cfg.Get("pubsub"))
	}
	if err != nil {
		return nil, err
	}
	return publish.NewDapr(publish.DaprOptions{
		GRPCAddr: net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Int("dapr-grpc-port"))),
		APIToken: cfg.Get("dapr-api-token"), PubSub: cfg.Get("pubsub"),
	})
}

// A daprCarrier fits entries to what Dapr carries, and says once what it leaves out.
type daprCarrier struct {
	maker *input.Maker
	note  func(string)
	noted map[string]bool
}

func (d daprCarrier) convert(e *input.Entry) error {
	r := &e.Record
	switch {
	case r.Value == nil:
		return errors.New("is a tombstone, which Dapr can't publish; --direct can")
	case !utf8.Valid(r.Key):
		return errors.New("has a key that isn't UTF-8, which Dapr can't carry; --direct can")
	}
	if len(r.Headers) > 1 || len(r.Headers) == 1 && string(r.Headers[0].Value) != input.ContentType {
		d.once(e, "Dapr carries no headers: they are left out")
	}
	if !r.Timestamp.IsZero() {
		d.once(e, "Dapr carries no timestamps: the records get new ones")
		r.Timestamp = time.Time{}
	}
	if r.Key != nil && len(r.Key) == 0 {
		d.once(e, "Dapr carries no empty keys: they become null")
		r.Key = nil
	}
	if !e.Event {
		d.once(e, "Dapr carries CloudEvents only: other values become the data of new ones")
		d.maker.Wrap(e)
	}
	r.Headers = nil
	return nil
}

func (d daprCarrier) once(e *input.Entry, what string) {
	if !d.noted[what] {
		d.noted[what] = true
		d.note(fmt.Sprintf("from %s on: %s; --direct keeps all", e.Place, what))
	}
}
