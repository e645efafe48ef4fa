package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/server"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
)

// A backend is the task API with what stands behind it: the store, the sidecar and
// the relay. `dev` and `serve` both run one; run tells where its parts are.
type backend struct {
	app     *app
	cfg     *config.Config
	logs    *logs
	log     *slog.Logger
	life    *lifecycle
	brokers kafka.Options
	options backendOptions

	// startShared starts a sidecar that isn't the API's alone; nil for one of its own.
	startShared func(context.Context) error

	registry *prometheus.Registry
	store    *store.Store
	sidecar  *appSidecar
	run      stack.Run
	notes    notes
}

// withDataDir makes the data folder, and its path one that holds from everywhere.
func withDataDir(cfg *config.Config) (*config.Config, error) {
	dir, err := filepath.Abs(cfg.Get("data-dir"))
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder (data-dir from %s): %w", cfg.Source("data-dir"), err)
	}
	return cfg.With("data-dir", dir, cfg.Source("data-dir")), nil
}

// start starts the parts, each on the one before: store, API, sidecar, relay.
func (b *backend) start(ctx context.Context) error {
	b.registry = newRegistry()
	b.run.Brokers, b.run.Pubsub, b.run.DataDir = slices.Concat([]string{}, b.brokers.Brokers), b.cfg.Get("pubsub"), b.cfg.Get("data-dir")
	b.run.Profile = b.cfg.Get("pubsub-profile")

	listener, err := b.listen(ctx)
	if err != nil {
		return err
	}
	b.store, err = openStore(ctx, b.cfg, b.logs, b.registry, b.life)
	if err != nil {
		listener.Close()
		return err
	}
	b.run.Database = store.Describe(databaseURL(b.cfg))
	if err := b.chooseSidecar(ctx); err != nil {
		listener.Close()
		return err
	}
	b.serveAPI(ctx, listener)
	if !b.publishes() {
		b.log.Warn("nothing is published: events wait in the outbox", "dapr_enabled", b.cfg.Get("dapr-enabled"), "sidecar", b.cfg.Get("sidecar"))
		return nil
	}
	if b.throughDapr() {
		start := b.sidecar.start
		if b.startShared != nil {
			start = b.startShared
		}
		if err := start(ctx); err != nil {
			return err
		}
		b.run.SidecarPID = b.sidecar.pid
	}
	return b.startRelay(ctx)
}

// newRegistry has the metrics of the process itself.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// announce tells that all answers: the result for people or as JSON, and the file
// for scripts.
func (a *app) announce(run stack.Run, readyFile string, logs *logs, text func(io.Writer)) error {
	if err := a.printer().Print("run", run, text); err != nil {
		return err
	}
	if readyFile != "" {
		if err := writeReady(readyFile, run); err != nil {
			return fmt.Errorf("write the ready file: %w", err)
		}
	}
	logs.ready()
	return nil
}

// writeReady writes the file as a whole: whoever waits for it finds it complete.
func writeReady(path string, run stack.Run) error {
	text, err := json.Marshal(run)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// listen opens the API's port. Nobody is authenticated yet, so only this machine
// may reach it unless it is said that more is meant.
func (b *backend) listen(ctx context.Context) (net.Listener, error) {
	addr := b.cfg.Get("api-addr")
	if port := b.app.env("APP_PORT"); port != "" && !b.cfg.Chosen("api-addr") {
		addr = net.JoinHostPort("127.0.0.1", port) // dapr run --app-port
	}
	if !b.options.open && !loopback(addr) {
		return nil, usagef("api-addr %s is open to other machines and nobody is authenticated; give --allow-unauthenticated if that is meant, or listen on 127.0.0.1", addr)
	}
	listener, note, err := stack.Listen(ctx, addr, b.cfg.Chosen("api-addr"))
	if err != nil {
		return nil, fmt.Errorf("task API: %w", err)
	}
	b.notes.add(note)
	b.run.APIAddr = listener.Addr().String()
	return listener, nil
}

// notes are what the user should know: a port that was taken.
type notes []string

// add leaves out what is empty.
func (n *notes) add(more ...string) {
	*n = append(*n, slices.DeleteFunc(more, func(note string) bool { return note == "" })...)
}

func (n notes) print(w io.Writer) {
	for _, note := range n {
		fmt.Fprintln(w, "note: "+note)
	}
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback()))
}

// openStore opens the database in use; life closes it.
func openStore(ctx context.Context, cfg *config.Config, logs *logs, registry *prometheus.Registry, life *lifecycle) (*store.Store, error) {
	s, err := store.Open(ctx, databaseURL(cfg), store.Options{Log: logs.of("store"), Metrics: registry})
	if err != nil {
		return nil, err
	}
	life.started("store", func(context.Context) error { return s.Close() })
	return s, nil
}

// databaseURL is the database in use: by default a SQLite file in the data folder.
func databaseURL(cfg *config.Config) string {
	if url := cfg.Get("database"); url != "" {
		return url
	}
	return filepath.Join(cfg.Get("data-dir"), "todo.db")
}

func (b *backend) serveAPI(ctx context.Context, listener net.Listener) {
	checks := []server.Check{{Name: "database", Run: b.store.Ping, Required: true}}
	if b.throughDapr() {
		checks = append(checks, server.Check{Name: "sidecar", Run: b.sidecar.api().Ready})
	}
	options := server.Options{
		Store: b.store, Checks: checks, Log: b.logs.of("api"), Registry: b.registry, Version: version,
		Hub: b.liveUpdates(ctx),
	}
	if loopback(listener.Addr().String()) {
		options.AllowedHosts = []string{"localhost"}
	}
	handler := server.New(options)
	b.life.run(ctx, "task API", func(ctx context.Context) error {
		if options.Hub != nil {
			defer context.AfterFunc(ctx, options.Hub.Close)() // streams would keep Serve waiting
		}
		return server.Serve(ctx, listener, handler, server.ServeOptions{Log: b.logs.of("api")})
	})
	b.logs.of("api").Info("listening", "addr", b.run.APIAddr)
}

// publishes tells whether events leave the outbox at all.
func (b *backend) publishes() bool {
	return b.cfg.Bool("dapr-enabled") && (b.cfg.Get("publisher") == "kafka" || b.cfg.Get("sidecar") != "off")
}

// throughDapr tells whether events go through a sidecar.
func (b *backend) throughDapr() bool { return b.publishes() && b.cfg.Get("publisher") == "dapr" }

// chooseSidecar settles which sidecar stands beside the API and where.
func (b *backend) chooseSidecar(ctx context.Context) error {
	b.sidecar = &appSidecar{
		app: b.app, cfg: b.cfg, logs: b.logs, log: b.log, life: b.life, brokers: b.brokers,
		part: apiSidecar, external: runsUnderDapr(b.cfg), appID: b.cfg.Get("app-id"), appAddr: b.run.APIAddr,
		appToken: b.cfg.Get("app-api-token"), waiting: "events wait in the outbox",
		httpKey: "dapr-http-port", grpcKey: "dapr-grpc-port",
	}
	b.run.DaprHTTPPort, b.run.DaprGRPCPort = b.cfg.Int("dapr-http-port"), b.cfg.Int("dapr-grpc-port")
	if !b.throughDapr() {
		return nil
	}
	notes, err := b.sidecar.choosePorts(ctx)
	b.notes.add(notes...)
	b.run.DaprHTTPPort, b.run.DaprGRPCPort = b.sidecar.httpPort, b.sidecar.grpcPort
	return err
}

// relayPoll is how often the outbox is looked at when nothing tells of events: those of
// reminders come from the worker, which may be another process.
const relayPoll = 250 * time.Millisecond

func (b *backend) startRelay(ctx context.Context) error {
	publisher, err := b.publisher()
	if err != nil {
		return err
	}
	log := b.logs.of("relay")
	relay := publish.NewRelay(publish.RelayOptions{
		Outbox: b.store, Publisher: publisher, Wake: b.store.Changed(), PollMax: relayPoll, Log: log, Metrics: b.registry,
		Published: func(topic string, events []task.Event) { logPublished(log, topic, events) },
	})
	b.life.run(ctx, "relay", relay.Run)
	return nil
}

// publisher makes the publisher that is asked for; it connects when it is used.
func (b *backend) publisher() (publish.Publisher, error) {
	if b.cfg.Get("publisher") == "kafka" {
		client, err := kafka.NewClient(b.brokers, publish.KafkaOpts()...)
		if err != nil {
			return nil, err
		}
		b.life.started("Kafka client", func(context.Context) error { client.Close(); return nil })
		return publish.NewKafka(client), nil
	}
	dapr, err := b.sidecar.publisher()
	if err != nil {
		return nil, err
	}
	b.life.started("Dapr client", func(context.Context) error { return dapr.Close() })
	return dapr, nil
}

// logPublished tells of single events; of a crowd, how many there were.
func logPublished(log *slog.Logger, topic string, events []task.Event) {
	if len(events) > 5 {
		log.Info("events published", "topic", topic, "events", len(events))
		return
	}
	for _, e := range events {
		log.Info("event published", "type", e.Type, "topic", topic, "task_id", e.TaskID, "event_id", e.ID)
	}
}
