package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/topics"
)

// A devRun is one run of `todoctl dev`: a backend, with a broker of its own before
// it and the reminder worker beside it.
type devRun struct {
	backend
	asked    devOptions
	reminder *workerRun // nil for none
}

// devOptions are what dev is told beside the settings.
type devOptions struct {
	backend  backendOptions
	worker   workerOptions
	noWorker bool
}

func (a *app) devCommand() *cobra.Command {
	var f devOptions
	var ephemeral bool
	cmd := &cobra.Command{
		Use: "dev", Short: "Run the whole stack in this terminal: broker, sidecars, API, worker",
		Long: `Run the whole stack in this terminal, without Docker: an embedded Kafka broker that
keeps its data on disk, the topics, SQLite, the task API and the reminder worker, each
under a real Dapr sidecar.

The broker is a development broker: one node, one copy. State lives in the data
folder; two stacks in different folders run side by side. A default port that is
taken is replaced by a free one; the other commands find the addresses in use in the
data folder.`,
		Example: `  todoctl dev
  todoctl dev --ephemeral --ready-file /tmp/ready     # a throw-away stack for a script
  todoctl dev --brokers kafka:9092 --database postgres://todo:todo@127.0.0.1/todo
  todoctl dev --pubsub-profile redis --redis-addr 127.0.0.1:6379`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.worker.check(); err != nil {
				return err
			}
			cfg, err := a.loadOwn(cmd)
			if err != nil {
				return err
			}
			if ephemeral {
				return a.runEphemeral(cmd.Context(), cfg, f)
			}
			return a.runDev(cmd.Context(), cfg, f)
		},
	}
	backendFlags(cmd, &f.backend)
	brokerFlags(cmd, "broker-addr", "worker-addr", "worker-dapr-http-port", "worker-dapr-grpc-port")
	workerFlags(cmd, &f.worker)
	cmd.Flags().BoolVar(&f.noWorker, "no-worker", false, "leave out the reminder worker")
	cmd.Flags().BoolVar(&ephemeral, "ephemeral", false, "keep everything in a folder that is removed at the end")
	return exits(cmd, commonExits+"\n  Stopped by Ctrl-C or SIGTERM it ends with 0 when all was stopped cleanly.")
}

// runEphemeral runs the stack in a folder of its own and removes that afterwards.
func (a *app) runEphemeral(ctx context.Context, cfg *config.Config, f devOptions) (err error) {
	if cfg.Chosen("data-dir") {
		return usagef("--ephemeral has a folder of its own: leave out --data-dir")
	}
	dir, err := os.MkdirTemp("", "todoctl-dev-")
	if err != nil {
		return fmt.Errorf("make a folder for the data: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return a.runDev(ctx, cfg.With("data-dir", dir, "--ephemeral"), f)
}

func (a *app) runDev(ctx context.Context, cfg *config.Config, f devOptions) (err error) {
	if err := checkProfile(cfg, true); err != nil {
		return err
	}
	if cfg, err = withDataDir(cfg); err != nil {
		return err
	}
	lock, err := stack.LockDir(cfg.Get("data-dir"))
	if err != nil {
		return err
	}
	logs := a.logs(cfg)
	d := &devRun{asked: f, backend: backend{
		app: a, cfg: cfg, logs: logs, log: logs.of("dev"), life: newLifecycle(logs.of("dev")), options: f.backend,
	}}
	d.life.started("lock of the data folder", func(context.Context) error { return lock.Unlock() })
	defer func() { err = errors.Join(err, d.life.stop(ctx)) }()
	if err := d.start(ctx); err != nil {
		return orCleanEnd(ctx, err)
	}
	if err := d.announceDev(); err != nil {
		return err
	}
	err = d.life.wait(ctx)
	d.log.Info("stopping")
	return err
}

// start starts the broker and its topics, and then what stands on them.
func (d *devRun) start(ctx context.Context) error {
	if profileOf(d.cfg) == stack.Kafka {
		if err := d.startBroker(ctx); err != nil {
			return err
		}
		if err := d.setUpTopics(ctx); err != nil {
			return err
		}
	}
	if profileOf(d.cfg) == stack.InMemory && !d.asked.noWorker {
		d.startShared = d.startWorker
		return d.backend.start(ctx)
	}
	if err := d.backend.start(ctx); err != nil {
		return err
	}
	return d.startWorker(ctx)
}

// startWorker starts the reminder worker, unless there are no events for it.
func (d *devRun) startWorker(ctx context.Context) error {
	if d.asked.noWorker || !d.throughDapr() {
		return nil
	}
	d.reminder = &workerRun{
		app: d.app, cfg: d.cfg, logs: d.logs, log: d.logs.of("worker"), life: d.life, brokers: d.brokers,
		store: d.store, registry: d.registry, options: d.asked.worker, run: &d.run,
	}
	if d.startShared != nil {
		d.reminder.shared = d.sidecar
	}
	err := d.reminder.start(ctx)
	d.notes.add(d.reminder.notes...)
	return err
}

func (d *devRun) startBroker(ctx context.Context) error {
	if d.cfg.Chosen("brokers") {
		var err error
		d.brokers, err = kafkaOptions(d.cfg)
		return err
	}
	listener, note, err := stack.Listen(ctx, d.cfg.Get("broker-addr"), d.cfg.Chosen("broker-addr"))
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	d.notes.add(note)
	log := d.logs.of("broker")
	broker, err := stack.StartBroker(ctx, stack.BrokerOptions{
		Listener: listener, DataDir: filepath.Join(d.cfg.Get("data-dir"), "broker"), Log: log,
	})
	if err != nil {
		return fmt.Errorf("broker: %w", err)
	}
	d.life.started("broker", func(context.Context) error { broker.Close(); return nil })
	d.brokers = kafka.Options{Brokers: []string{broker.Addr()}}
	log.Info("listening", "addr", broker.Addr())
	return nil
}

func (d *devRun) setUpTopics(ctx context.Context) error {
	client, err := cluster(ctx, d.brokers)
	if err != nil {
		return err
	}
	defer client.Close()
	specs := topics.Builtin()
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return err
	}
	_, err = topics.Apply(ctx, client, topics.Diff(specs, state))
	return err
}

// announceDev tells the other commands too, in run.json.
func (d *devRun) announceDev() error {
	dir := d.cfg.Get("data-dir")
	if err := stack.WriteRun(dir, d.run); err != nil {
		return err
	}
	d.life.started("run.json", func(context.Context) error { return stack.RemoveRun(dir) })
	return d.app.announce(d.run, d.asked.backend.readyFile, d.logs, d.list)
}

func (d *devRun) list(w io.Writer) {
	p := d.app.printer()
	d.notes.print(w)
	sidecar := "off: events wait in the outbox"
	if d.throughDapr() {
		sidecar = fmt.Sprintf("http://127.0.0.1:%d  gRPC 127.0.0.1:%d", d.run.DaprHTTPPort, d.run.DaprGRPCPort)
	}
	worker := "off"
	if d.reminder != nil {
		worker = fmt.Sprintf("http://%s  sidecar http://127.0.0.1:%d  gRPC 127.0.0.1:%d", d.run.WorkerAddr, d.run.WorkerDaprHTTPPort, d.run.WorkerDaprGRPCPort)
	}
	p.Fields(w, [][2]string{
		{"task API", "http://" + d.run.APIAddr + "  docs at /docs"},
		{"broker", describeBroker(d.cfg, d.brokers.Brokers)},
		{"sidecar", sidecar},
		{"worker", worker},
		{"database", d.run.Database},
		{"data", d.cfg.Get("data-dir")},
	})
	here := ""
	if d.cfg.Chosen("data-dir") {
		here = " --data-dir " + d.cfg.Get("data-dir")
	}
	fmt.Fprintf(w, "\ntry, in another terminal:\n")
	lines := []string{`todoctl tasks add "Buy groceries" --priority high` + here}
	switch {
	case len(d.brokers.Brokers) > 0:
		lines = append(lines, `todoctl events tail task-events`+here, fmt.Sprintf("kcat -b %s -C -t task-events -e", d.brokers.Brokers[0]))
	case profileOf(d.cfg) == stack.Redis:
		lines = append(lines, "redis-cli -u redis://"+d.cfg.Get("redis-addr")+" XRANGE task-events - +")
	}
	for _, line := range lines {
		fmt.Fprintln(w, "  "+line)
	}
	fmt.Fprintln(w, "\nready")
}
