package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/status"
	"github.com/todoctl/todoctl/internal/topics"
)

// statusFlags are what status is told.
type statusFlags struct {
	watch, wait            bool
	every, timeout         time.Duration
	maxAge, maxLagAge      time.Duration
	everyGiven, timesGiven bool
}

func (a *app) statusCommand() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use: "status", Short: "Show how the whole stack is, on one screen",
		Long: `Show how the whole stack is, on one screen: API, broker, topics, sidecar, database,
outbox, consumer groups and worker, from one snapshot of a few seconds at most. What is
not well has a line that says so, with the command that tells more, and the answer is no
(exit code 3). It works with nothing running. 'todoctl doctor' looks for causes.`,
		Example: `  todoctl status
  todoctl status --watch --every 5s
  todoctl status --wait --timeout 2m             # until all is well
  todoctl status --json | jq .not_well`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f.everyGiven, f.timesGiven = cmd.Flags().Changed("every"), cmd.Flags().Changed("timeout")
			if err := f.check(); err != nil {
				return err
			}
			return a.status(cmd, f)
		},
	}
	brokerFlags(cmd, "api-url", "database", "data-dir", "sidecar", "publisher", "pubsub",
		"dapr-http-port", "dapr-api-token", "worker-addr", "worker-app-id")
	flags := cmd.Flags()
	flags.BoolVarP(&f.watch, "watch", "w", false, "again and again, until Ctrl-C")
	flags.BoolVar(&f.wait, "wait", false, "until all is well, or --timeout")
	flags.DurationVar(&f.every, "every", 2*time.Second, "with --watch or --wait: how long between two snapshots")
	flags.DurationVar(&f.timeout, "timeout", time.Minute, "with --wait: how long")
	flags.DurationVar(&f.maxAge, "max-age", 30*time.Second, "the outbox is not well when its oldest event is older")
	flags.DurationVar(&f.maxLagAge, "max-lag-age", time.Minute, "a group with members is not well when its oldest unread record is older")
	return exits(cmd, "0 all is well · 1 failed · 2 wrong usage · 3 something is not well · 130 interrupted")
}

func (f statusFlags) check() error {
	switch {
	case f.everyGiven && !f.watch && !f.wait:
		return usagef("--every goes with --watch or --wait")
	case f.timesGiven && !f.wait:
		return usagef("--timeout goes with --wait")
	case f.every < 100*time.Millisecond:
		return usagef("--every %s: must be 100ms or more", f.every)
	case f.timeout <= 0:
		return usagef("--timeout %s: must be more than 0", f.timeout)
	case f.maxAge < 0:
		return usagef("--max-age %s: must not be negative", f.maxAge)
	case f.maxLagAge < 0:
		return usagef("--max-lag-age %s: must not be negative", f.maxLagAge)
	}
	return nil
}

// status takes snapshots: one, or as many as are asked for. The settings are read anew
// for each: a stack that starts meanwhile has other addresses.
func (a *app) status(cmd *cobra.Command, f statusFlags) error {
	ctx, end := cmd.Context(), time.Now().Add(f.timeout)
	for {
		snapshot, err := a.snapshot(ctx, cmd, f)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		last := !f.watch && !f.wait || f.wait && (snapshot.OK || !time.Now().Add(f.every).Before(end))
		if last || f.watch {
			if err := a.printStatus(snapshot, f.watch); err != nil {
				return err
			}
		}
		if last {
			return statusAnswer(snapshot)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(f.every):
		}
	}
}

func statusAnswer(s status.Snapshot) error {
	if s.OK {
		return nil
	}
	return noError{fmt.Errorf("not well: %s; 'todoctl doctor' looks for the cause", strings.Join(s.NotWell, ", "))}
}

func (a *app) snapshot(ctx context.Context, cmd *cobra.Command, f statusFlags) (status.Snapshot, error) {
	cfg, err := a.loadKafka(cmd)
	if err != nil {
		return status.Snapshot{}, err
	}
	api, err := newClient(cfg)
	if err != nil {
		return status.Snapshot{}, err
	}
	brokers, err := kafkaOptions(cfg)
	if err != nil {
		return status.Snapshot{}, err
	}
	client, err := kafka.NewClient(brokers)
	if err != nil {
		return status.Snapshot{}, err
	}
	defer client.Close()
	o := statusOptions(cfg)
	o.APIURL, o.Client, o.MaxAge, o.MaxLagAge = api.base, client, f.maxAge, f.maxLagAge
	return status.Read(ctx, o), nil
}

func statusOptions(cfg *config.Config) status.Options {
	o := status.Options{
		Specs: topics.Builtin(), Pubsub: cfg.Get("pubsub"), Database: databaseURL(cfg), Version: version,
		Sidecar:    stack.Endpoint{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(cfg.Int("dapr-http-port"))), Token: cfg.Get("dapr-api-token")},
		WorkerAddr: cfg.Get("worker-addr"), WorkerGroup: cfg.Get("worker-app-id"),
	}
	switch {
	case cfg.Get("publisher") == "kafka":
		o.NoSidecar = "publisher is kafka"
	case cfg.Get("sidecar") == "off":
		o.NoSidecar = "sidecar is off"
	case !cfg.Bool("dapr-enabled"):
		o.NoSidecar = "DAPR_ENABLED is false"
	}
	if run, err := stack.ReadRun(cfg.Get("data-dir")); err == nil && !cfg.Chosen("brokers") {
		o.NoWorker = run.WorkerAddr == ""
		if run.WorkerAddr != "" {
			o.WorkerAddr = run.WorkerAddr
		}
	}
	return o
}
