package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/worker"
)

// workerOptions are what worker and dev are told of the worker beside the settings.
type workerOptions struct {
	readyFile    string
	notifyConfig string
	retry        worker.Retry
}

func (a *app) workerCommand() *cobra.Command {
	var f workerOptions
	cmd := &cobra.Command{
		Use: "worker", Short: "Run the reminder worker under Dapr",
		Long: `Run the reminder worker, with a sidecar that is already there (dapr run, Kubernetes) or
with one of its own. It makes reminders fall due, tells users of them, and makes the next
task of a series when one is completed. Any number of workers share the work.

Users are told by lines of JSON on stdout, unless --notify-config names a file that says
who is told on which channels. A notification that fails is tried again, after a second and
then ever more seldom, for an hour and more; Retry-After is heeded. An event that can't be
handled goes to the dead letter topic, with the reason.`,
		Example: `  todoctl worker --database postgres://todo:todo@127.0.0.1:5432/todo
  todoctl worker --notify-config notify.yaml --attempts 20 --retry-max 30m
  dapr run --app-id todo-reminder-worker --app-port 8002 --resources-path dapr-components -- todoctl worker`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runWorker(cmd, f) },
	}
	brokerFlags(cmd, "worker-addr", "database", "data-dir", "sidecar", "daprd", "worker-app-id", "pubsub", "pubsub-profile", "redis-addr", "rabbitmq-url",
		"worker-dapr-http-port", "worker-dapr-grpc-port", "resources-path", "dapr-config", "log-level", "log-format")
	workerFlags(cmd, &f)
	cmd.Flags().StringVar(&f.readyFile, "ready-file", "", "write the addresses in use to this file, as JSON, once the worker has subscribed")
	cmd.Flags().SetNormalizeFunc(daprNames)
	completeWords(cmd, "sidecar", "auto", "spawn", "external")
	completeWords(cmd, "log-level", "debug", "info", "warn", "error")
	completeWords(cmd, "log-format", "text", "json")
	completeWords(cmd, "pubsub-profile", "kafka", "redis", "rabbitmq")
	return exits(cmd, commonExits+"\n  Stopped by Ctrl-C or SIGTERM it ends with 0 when all was stopped cleanly.")
}

// workerFlags are the flags of the worker that dev has too.
func workerFlags(cmd *cobra.Command, f *workerOptions) {
	cmd.Flags().StringVar(&f.notifyConfig, "notify-config", "", "YAML file that says who is told of reminders on which channels (default log lines on stdout)")
	cmd.Flags().DurationVar(&f.retry.MaxLateness, "max-lateness", 24*time.Hour, "nobody is told of a reminder that is later than this")
	cmd.Flags().IntVar(&f.retry.Attempts, "attempts", 16, "after so many failures a notification goes to the dead letter topic")
	cmd.Flags().DurationVar(&f.retry.First, "retry-min", time.Second, "wait after the first failure; each wait is twice the one before")
	cmd.Flags().DurationVar(&f.retry.Most, "retry-max", 10*time.Minute, "the longest wait between two attempts")
}

func (f workerOptions) check() error {
	r := f.retry
	switch {
	case r.Attempts < 1:
		return usagef("--attempts %d: must be 1 or more", r.Attempts)
	case r.MaxLateness <= 0:
		return usagef("--max-lateness %s: must be more than 0", r.MaxLateness)
	case r.First <= 0:
		return usagef("--retry-min %s: must be more than 0", r.First)
	case r.Most < r.First:
		return usagef("--retry-max %s: must not be less than --retry-min, %s", r.Most, r.First)
	}
	return nil
}

func (a *app) runWorker(cmd *cobra.Command, f workerOptions) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	cfg, err := a.load(cmd)
	if err != nil {
		return err
	}
	if cfg.Get("sidecar") == "off" {
		return usagef("--sidecar off: the worker gets its events from a sidecar")
	}
	if err := checkProfile(cfg, false); err != nil {
		return err
	}
	brokers, err := stackBrokers(cfg)
	if err != nil {
		return err
	}
	if cfg, err = withDataDir(cfg); err != nil {
		return err
	}
	ctx, logs := cmd.Context(), a.logs(cfg)
	run := stack.Run{Brokers: brokers.Brokers, Pubsub: cfg.Get("pubsub"), Profile: cfg.Get("pubsub-profile"), DataDir: cfg.Get("data-dir"), Database: store.Describe(databaseURL(cfg))}
	w := &workerRun{
		app: a, cfg: cfg, logs: logs, log: logs.of("worker"), life: newLifecycle(logs.of("worker")), brokers: brokers,
		registry: newRegistry(), options: f, external: runsUnderDapr(cfg), run: &run,
	}
	defer func() { err = errors.Join(err, w.life.stop(ctx)) }()
	w.store, err = openStore(ctx, cfg, logs, w.registry, w.life)
	if err != nil {
		return orCleanEnd(ctx, err)
	}
	if err := w.start(ctx); err != nil {
		return orCleanEnd(ctx, err)
	}
	if err := a.announce(run, f.readyFile, logs, w.list); err != nil {
		return err
	}
	return w.life.wait(ctx)
}

// list tells people where the worker is.
func (w *workerRun) list(out io.Writer) {
	w.notes.print(out)
	fmt.Fprintf(out, "ready: reminder worker on http://%s, sidecar http://127.0.0.1:%d, %s\n", w.run.WorkerAddr, w.run.WorkerDaprHTTPPort, w.run.Database)
}
