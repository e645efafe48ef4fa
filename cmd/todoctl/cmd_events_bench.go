package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/load"
	"github.com/todoctl/todoctl/internal/publish"
)

// benchFlags are what bench is told.
type benchFlags struct {
	mode, via, topic string
	records          int64
	duration         time.Duration
	size             int
	rate             float64
	clients, batch   int
}

// The modes of bench.
const (
	benchProduce  = "produce"
	benchConsume  = "consume"
	benchEndToEnd = "end-to-end"
)

func benchModes() []string { return []string{benchEndToEnd, benchProduce, benchConsume} }

func (a *app) eventsBenchCommand() *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use: "bench [" + strings.Join(benchModes(), "|") + "]", Short: "Measure how fast events go in and come out",
		Long: `Measure how fast events go in (produce), come out (consume), or both at once with the
time from sending an event to reading it (end-to-end, the default): straight to Kafka, or
through the Dapr sidecar (--via dapr).

Events go to a topic of its own, which is deleted afterwards, also after Ctrl-C. With
--topic they go to that topic and stay there; consume then reads what is in it.

With --rate, an event's time counts from when it was due, so that a stall is charged for
all that had to wait. Without, each client sends as soon as it has its answer.`,
		Example: `  todoctl events bench
  todoctl events bench produce --records 1000000 --size 350 -c 4 --batch 1000
  todoctl events bench end-to-end --via dapr --rate 500 --duration 30s
  todoctl events bench consume --topic task-events --json`,
		Args:      args(cobra.MatchAll(cobra.MaximumNArgs(1))),
		ValidArgs: benchModes(),
		RunE: func(cmd *cobra.Command, words []string) error {
			f.mode = strings.Join(words, "")
			if f.mode == "" {
				f.mode = benchEndToEnd
			}
			return a.runBench(cmd, f)
		},
	}
	brokerFlags(cmd, "data-dir", "dapr-http-port", "dapr-grpc-port", "pubsub")
	flags := cmd.Flags()
	flags.StringVar(&f.via, "via", "direct", "direct or dapr")
	flags.StringVar(&f.topic, "topic", "", "the topic (default one of its own, deleted afterwards)")
	flags.Int64VarP(&f.records, "records", "n", 100_000, "how many events; without a limit where only --duration is given")
	flags.DurationVar(&f.duration, "duration", 0, "how long at the most")
	flags.IntVar(&f.size, "size", 350, "bytes of an event")
	flags.Float64Var(&f.rate, "rate", 0, "events a second, of all clients together; 0 is as fast as it goes")
	flags.IntVarP(&f.clients, "clients", "c", 8, "calls at a time")
	flags.IntVar(&f.batch, "batch", 0, "events of a call (default 100, with --rate 1)")
	completeWords(cmd, "via", "direct", "dapr")
	if err := cmd.RegisterFlagCompletionFunc("topic", a.completeTopics); err != nil {
		panic("todoctl: complete --topic: " + err.Error()) // the flag is not there: a mistake in the program
	}
	return cmd
}

// complete fills in what depends on other flags, and says what is wrong.
func (f *benchFlags) complete(cmd *cobra.Command) error {
	if !slices.Contains(benchModes(), f.mode) {
		return usagef("unknown mode %q: must be one of %s", f.mode, strings.Join(benchModes(), ", "))
	}
	if f.via != "direct" && f.via != "dapr" {
		return usagef("--via %q: must be direct or dapr", f.via)
	}
	if cmd.Flags().Changed("duration") && !cmd.Flags().Changed("records") {
		f.records = 0
	}
	if !cmd.Flags().Changed("batch") {
		f.batch = 100
		if f.rate > 0 {
			f.batch = 1
		}
	}
	if f.size < 0 || f.size > input.MaxLine {
		return usagef("--size %d: must be 0 to %d bytes", f.size, input.MaxLine)
	}
	if f.mode == benchConsume && f.via == "dapr" {
		return usagef("consume reads straight from Kafka: leave out --via dapr")
	}
	if f.mode == benchConsume && f.topic == "" && f.records == 0 {
		return usagef("consume fills a topic of its own first: say how many --records, or name a --topic")
	}
	if err := f.plan().Check(); err != nil {
		return usageError{err}
	}
	return nil
}

func (f *benchFlags) plan() load.Plan {
	return load.Plan{Clients: f.clients, Batch: f.batch, Items: f.records, Duration: f.duration, Rate: f.rate}
}

func (a *app) runBench(cmd *cobra.Command, f benchFlags) (err error) {
	if err := f.complete(cmd); err != nil {
		return err
	}
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	brokers, err := kafkaOptions(cfg)
	if err != nil {
		return err
	}
	b := &bench{benchFlags: f, brokers: brokers, topic: f.topic, result: benchResult{Mode: f.mode, Via: f.via, Clients: f.clients, Batch: f.batch, Rate: f.rate}}
	client, err := cluster(ctx, b.brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	closePublisher, err := b.openPublisher(ctx, cfg)
	if err != nil {
		return err
	}
	defer closePublisher()
	remove, err := b.prepareTopic(ctx, client)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	b.progress = a.benchProgress()
	err = b.run(ctx)
	b.result.Interrupted = ctx.Err() != nil
	p := a.printer()
	if b.progress != nil {
		fmt.Fprintln(a.stderr) // leave the line of the progress
	}
	return errors.Join(err, p.Print("events.bench", b.result, b.result.text(p)))
}

// openPublisher opens the way that events take, and returns what closes it.
func (b *bench) openPublisher(ctx context.Context, cfg *config.Config) (func(), error) {
	if b.via == "direct" {
		client, err := cluster(ctx, b.brokers, publish.KafkaOpts()...)
		if err != nil {
			return nil, err
		}
		b.publisher = publish.NewKafka(client)
		return client.Close, nil
	}
	dapr, err := openDapr(ctx, cfg)
	if err != nil {
		return nil, err
	}
	b.publisher = dapr
	return func() { dapr.Close() }, nil //nolint:errcheck // nothing is under way
}

// benchProgress tells people on a terminal how far it is; nil where nobody looks.
func (a *app) benchProgress() func(what string, n int64) {
	if a.messages().Width == 0 {
		return nil
	}
	return func(what string, n int64) { fmt.Fprintf(a.stderr, "\r%s %d   ", what, n) }
}

// run measures what the mode says.
func (b *bench) run(ctx context.Context) error {
	switch b.mode {
	case benchProduce:
		return b.produce(ctx)
	case benchConsume:
		if err := b.fill(ctx); err != nil {
			return err
		}
		return b.consume(ctx)
	default:
		return b.endToEnd(ctx)
	}
}
