package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/smoke"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/task"
)

// smokeFlags are what smoke is told.
type smokeFlags struct {
	noAPI, noConsumer   bool
	topic, group, junit string
	timeout             time.Duration
}

func (a *app) smokeCommand() *cobra.Command {
	var f smokeFlags
	cmd := &cobra.Command{
		Use: "smoke", Short: "Send a probe through the stack and read it back from the broker: a check for CI",
		Long: `Send a probe through the stack and follow it hop by hop: a task of user "smoke" through
the API, out of the outbox, onto the topic, past a consumer group. With --no-api it is an
event through the sidecar. It passes only when the probe was read back from the broker.

The task is deleted at the end; what a killed run has left, the next deletes. An event of
--no-api stays on the topic; its type, todoctl.smoke, is one that consumers pass over.

The group is the reminder worker's, where it reads the topic, unless --group names one.
The outbox is looked into where the database in use is that of the API.`,
		Example: `  todoctl smoke
  todoctl smoke --junit smoke.xml --timeout 1m
  todoctl smoke --api-url https://todo.example.com --brokers kafka:9092 --no-consumer
  todoctl smoke --no-api --group billing --json | jq '.hops[] | {hop, ms}'`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return err
			}
			return a.smoke(cmd, f)
		},
	}
	brokerFlags(cmd, "api-url", "database", "data-dir", "worker-app-id", "pubsub",
		"dapr-http-port", "dapr-grpc-port", "dapr-api-token")
	flags := cmd.Flags()
	flags.BoolVar(&f.noAPI, "no-api", false, "send an event through the sidecar instead of a task through the API")
	flags.StringVarP(&f.topic, "topic", "t", task.Topic, "where the probe is to arrive")
	flags.StringVar(&f.group, "group", "", "the consumer group that must pass the probe (default the worker's, where it reads the topic)")
	flags.BoolVar(&f.noConsumer, "no-consumer", false, "don't wait for a consumer group")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Second, "for all of it, with the cleaning up")
	flags.StringVar(&f.junit, "junit", "", "also write a JUnit report to this file")
	completeFlag(cmd, "topic", a.completeTopics)
	completeFlag(cmd, "group", a.completeGroups)
	return exits(cmd, "0 the probe came through · 1 failed · 2 wrong usage · 3 it did not come through · 130 interrupted")
}

// minSmoke is the least timeout: a fifth of it is kept for cleaning up.
const minSmoke = time.Second

func (f smokeFlags) check(cmd *cobra.Command) error {
	switch {
	case f.timeout < minSmoke:
		return usagef("--timeout %s: must be %s or more", f.timeout, minSmoke)
	case f.topic == "":
		return usagef("--topic: must name a topic")
	case f.noConsumer && f.group != "":
		return usagef("--group and --no-consumer exclude one another")
	case cmd.Flags().Changed("group") && f.group == "":
		return usagef("--group: must name a consumer group; --no-consumer waits for none")
	}
	return nil
}

func (a *app) smoke(cmd *cobra.Command, f smokeFlags) (err error) {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return err
	}
	options, closeAll, err := a.smokeOptions(cfg, f)
	if err != nil {
		return err
	}
	defer closeAll()
	report, err := openJUnit(f.junit)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	shown := a.followSmoke(&options)
	result, interrupted := smoke.Run(ctx, options)
	shown.stop()
	if report != nil {
		err = errors.Join(smoke.WriteJUnit(report, result, time.Now()), report.Close())
	}
	if interrupted != nil {
		return errors.Join(interrupted, err)
	}
	return errors.Join(err, a.printSmoke(result))
}

// openJUnit opens the report before anything is sent; nil for none.
func openJUnit(path string) (*os.File, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--junit: %w", err)
	}
	return file, nil
}

// smokeOptions are the parts that the probe goes through. The function closes them.
func (a *app) smokeOptions(cfg *config.Config, f smokeFlags) (o smoke.Options, closeAll func(), err error) {
	o = smoke.Options{Topic: f.topic, Timeout: f.timeout}
	if !f.noAPI {
		api, err := newClient(cfg.With("user", smoke.User, "smoke"))
		if err != nil {
			return o, nil, err
		}
		o.API = probeTasks{api}
	}
	brokers, err := kafkaOptions(cfg)
	if err != nil {
		return o, nil, err
	}
	if o.Client, err = kafka.NewClient(brokers); err != nil {
		return o, nil, err
	}
	if o.Reader, err = kafka.NewClient(brokers); err != nil {
		o.Client.Close()
		return o, nil, err
	}
	outbox := &probeOutbox{url: databaseURL(cfg)}
	o.Outbox = outbox
	o.Publish = func(ctx context.Context, key string, event []byte) error {
		return publishProbe(ctx, cfg, f.topic, key, event)
	}
	if !f.noConsumer {
		o.Group, o.Expected = f.group, true
		if f.group == "" {
			o.Group, o.Expected = cfg.Get("worker-app-id"), workerRuns(cfg) && readByWorker(f.topic)
		}
	}
	return o, func() { o.Client.Close(); o.Reader.Close(); outbox.close() }, nil
}

// workerRuns tells whether the brokers are those of a stack here that runs a worker.
func workerRuns(cfg *config.Config) bool {
	run, err := stack.ReadRun(cfg.Get("data-dir"))
	return err == nil && !cfg.Chosen("brokers") && run.WorkerAddr != ""
}

func readByWorker(topic string) bool { return topic == task.Topic || topic == task.RemindersTopic }
