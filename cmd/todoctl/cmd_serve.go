package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) serveCommand() *cobra.Command {
	var f backendOptions
	cmd := &cobra.Command{
		Use: "serve", Short: "Run the task API under Dapr",
		Long: `Run the task API, with a sidecar that is already there (dapr run, Kubernetes) or with
one of its own. Every change and its event are stored in one transaction; the event
is published as soon as sidecar and broker answer.`,
		Example: `  todoctl serve --database postgres://todo:todo@127.0.0.1:5432/todo
  dapr run --app-id todo-backend --app-port 8001 --resources-path dapr-components -- todoctl serve
  DAPR_ENABLED=false todoctl serve               # events wait in the outbox`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runServe(cmd, f) },
	}
	backendFlags(cmd, &f)
	brokerFlags(cmd, "sidecar", "publisher")
	completeWords(cmd, "sidecar", "auto", "spawn", "external", "off")
	completeWords(cmd, "publisher", "dapr", "kafka")
	return exits(cmd, commonExits+"\n  Stopped by Ctrl-C or SIGTERM it ends with 0 when all was stopped cleanly.")
}

// backendOptions are what dev and serve are told beside the settings.
type backendOptions struct {
	open      bool // may listen beyond loopback although nobody is authenticated
	readyFile string
}

// backendFlags are the flags that dev and serve share.
func backendFlags(cmd *cobra.Command, f *backendOptions) {
	settingFlags(cmd, "api-addr", "database", "data-dir", "daprd", "app-id", "pubsub", "pubsub-profile", "redis-addr", "rabbitmq-url", "dapr-http-port",
		"dapr-grpc-port", "resources-path", "dapr-config", "metrics-port", "log-level", "log-format")
	cmd.Flags().StringVar(&f.readyFile, "ready-file", "", "write the addresses in use to this file, as JSON, once all answers")
	cmd.Flags().BoolVar(&f.open, "allow-unauthenticated", false, "listen on an address that other machines reach, although nobody is authenticated")
	cmd.Flags().SetNormalizeFunc(daprNames)
	completeWords(cmd, "log-level", "debug", "info", "warn", "error")
	completeWords(cmd, "log-format", "text", "json")
	completeWords(cmd, "pubsub-profile", "kafka", "redis", "rabbitmq", "in-memory")
}

func (a *app) runServe(cmd *cobra.Command, f backendOptions) (err error) {
	cfg, err := a.load(cmd)
	if err != nil {
		return err
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
	a.collectSeldom()
	ctx, logs := cmd.Context(), a.logs(cfg)
	b := &backend{
		app: a, cfg: cfg, logs: logs, log: logs.of("serve"), life: newLifecycle(logs.of("serve")),
		brokers: brokers, options: f,
	}
	defer func() { err = errors.Join(err, b.life.stop(ctx)) }()
	if err := b.start(ctx); err != nil {
		return orCleanEnd(ctx, err)
	}
	if err := a.announce(b.run, f.readyFile, logs, b.list); err != nil {
		return err
	}
	return b.life.wait(ctx)
}

// collectSeldom lets garbage lie for longer than Go does by default, up to a bound,
// unless the environment says how it is to be. What serve keeps is so little that
// collecting it each time it has doubled took an eighth of the processor.
func (a *app) collectSeldom() {
	if a.env("GOGC") != "" || a.env("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(400)
	debug.SetMemoryLimit(112 << 20)
}

// list tells people where the API is.
func (b *backend) list(w io.Writer) {
	b.notes.print(w)
	fmt.Fprintf(w, "ready: task API on http://%s, %s\n", b.run.APIAddr, b.run.Database)
}

// orCleanEnd makes no failure of a start that the user broke off.
func orCleanEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Canceled
	}
	return err
}
