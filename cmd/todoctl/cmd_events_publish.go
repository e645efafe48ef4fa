package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/stack"
)

const (
	publishBatch = 100     // events in a call
	maxLine      = 1 << 20 // bytes of an event on standard input
)

type publishFlags struct {
	data, key, kind string
	direct          bool
}

// published is the result of a publish.
type published struct {
	Topic  string `json:"topic"`
	Events int    `json:"events"`
	LastID string `json:"last_id"`
}

func (a *app) eventsPublishCommand() *cobra.Command {
	var f publishFlags
	cmd := &cobra.Command{
		Use: "publish TOPIC", Short: "Publish events, through the sidecar or straight to Kafka",
		Long: `Publish one event (--data), or one a line from standard input. An event is a JSON value;
one that is a CloudEvent already goes out as it is, any other becomes the data of a new
CloudEvent.

Events go through the Dapr sidecar, as the task API's do, or with --direct straight to
the broker.`,
		Example: `  todoctl events publish task-events --type task.created --key 123 --data '{"task_id":123}'
  todoctl events publish task-events --direct < events.jsonl`,
		Args:              args(cobra.ExactArgs(1)),
		ValidArgsFunction: a.completeTopics,
		RunE:              func(cmd *cobra.Command, words []string) error { return a.runPublish(cmd, words[0], f) },
	}
	settingFlags(cmd, "brokers", "data-dir", "dapr-http-port", "dapr-grpc-port", "pubsub")
	flags := cmd.Flags()
	flags.StringVar(&f.data, "data", "", "the event")
	flags.StringVar(&f.key, "key", "", "Kafka key (default the CloudEvent's partitionkey)")
	flags.StringVar(&f.kind, "type", "", "CloudEvent type (default the data's event_type, else test)")
	flags.BoolVar(&f.direct, "direct", false, "straight to Kafka, without the sidecar")
	return cmd
}

func (a *app) runPublish(cmd *cobra.Command, topic string, f publishFlags) error {
	lines, err := a.eventLines(cmd, f)
	if err != nil {
		return err
	}
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	publisher, done, err := openPublisher(cmd.Context(), cfg, f.direct)
	if err != nil {
		return err
	}
	defer done()
	result, err := publishLines(cmd.Context(), publisher, topic, lines, publish.Wrapping{Type: f.kind, Key: f.key, Source: "todoctl"})
	if err != nil {
		return fmt.Errorf("%w (%d published before)", err, result.Events)
	}
	p := a.printer()
	return p.Print("published", result, func(w io.Writer) {
		if result.Events == 1 {
			fmt.Fprintf(w, "published event %s to %s\n", result.LastID, topic)
			return
		}
		fmt.Fprintf(w, "published %d events to %s\n", result.Events, topic)
	})
}

// eventLines is where the events are: --data, or standard input.
func (a *app) eventLines(cmd *cobra.Command, f publishFlags) (*bufio.Scanner, error) {
	in := a.stdin
	if cmd.Flags().Changed("data") {
		in = strings.NewReader(f.data)
	}
	if file, ok := in.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		return nil, usagef("no event: give one with --data, or pipe events in, one a line")
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	if cmd.Flags().Changed("data") {
		lines.Split(whole)
	}
	return lines, nil
}

// whole is the split function of an input that is one event, over several lines.
func whole(data []byte, atEOF bool) (int, []byte, error) {
	if !atEOF || len(data) == 0 {
		return 0, nil, nil
	}
	return len(data), data, nil
}

// openPublisher returns a publisher that is there, and what closes it.
func openPublisher(ctx context.Context, cfg *config.Config, direct bool) (publish.Publisher, func(), error) {
	if direct {
		client, err := cluster(ctx, cfg.List("brokers"), publish.KafkaOpts()...)
		if err != nil {
			return nil, nil, err
		}
		return publish.NewKafka(client), client.Close, nil
	}
	_, metadata, err := stack.Attach(ctx, stack.AttachOptions{HTTPPort: cfg.Int("dapr-http-port"), APIToken: cfg.Get("dapr-api-token")})
	if err == nil {
		err = stack.CheckPubsub(metadata, cfg.Get("pubsub"))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w; or publish without a sidecar: --direct", err)
	}
	dapr, err := publish.NewDapr(publish.DaprOptions{
		GRPCAddr: net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Int("dapr-grpc-port"))),
		APIToken: cfg.Get("dapr-api-token"), PubSub: cfg.Get("pubsub"),
	})
	if err != nil {
		return nil, nil, err
	}
	return dapr, func() { dapr.Close() }, nil //nolint:errcheck // nothing is under way
}

// publishLines publishes one event a line, in batches. The result counts what was
// acknowledged, also when there is an error.
func publishLines(ctx context.Context, to publish.Publisher, topic string, lines *bufio.Scanner, w publish.Wrapping) (published, error) {
	result := published{Topic: topic}
	var batch []publish.Message
	flush := func() error {
		errs := to.Publish(ctx, topic, batch)
		for i, m := range batch {
			if errs == nil || errs[i] == nil {
				result.Events++
				result.LastID = m.ID
			}
		}
		batch = batch[:0]
		return firstFailure(errs, topic)
	}
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		m, err := w.Wrap(lines.Bytes())
		if err != nil {
			return result, errors.Join(fmt.Errorf("line %d: %w", n, err), flush())
		}
		if batch = append(batch, m); len(batch) == publishBatch {
			if err := flush(); err != nil {
				return result, err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return result, errors.Join(fmt.Errorf("read events: %w", err), flush())
	}
	return result, flush()
}

func firstFailure(errs []error, topic string) error {
	failed := 0
	var first error
	for _, err := range errs {
		if err == nil {
			continue
		}
		failed++
		if first == nil {
			first = err
		}
	}
	switch {
	case first == nil:
		return nil
	case errors.Is(first, publish.ErrTopicRefused):
		return fmt.Errorf("publish to %s: %w; 'todoctl topics list' shows the topics, 'todoctl topics setup' creates the stack's own", topic, first)
	case failed == 1:
		return fmt.Errorf("publish to %s: %w", topic, first)
	default:
		return fmt.Errorf("publish to %s: %d events failed, the first: %w", topic, failed, first)
	}
}
