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
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/todoctl/todoctl/internal/config"
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
	brokers []string
	options backendOptions

	registry *prometheus.Registry
	store    *store.Store
	run      stack.Run
	notes    []string // what the user should know: a port that was taken
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
	b.registry = prometheus.NewRegistry()
	b.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	b.run.Brokers, b.run.Pubsub, b.run.DataDir = b.brokers, b.cfg.Get("pubsub"), b.cfg.Get("data-dir")

	listener, err := b.listen(ctx)
	if err != nil {
		return err
	}
	if err := b.openStore(ctx); err != nil {
		listener.Close()
		return err
	}
	if err := b.choosePorts(ctx); err != nil {
		listener.Close()
		return err
	}
	b.serveAPI(ctx, listener)
	if !b.publishes() {
		b.log.Warn("nothing is published: events wait in the outbox", "dapr_enabled", b.cfg.Get("dapr-enabled"), "sidecar", b.cfg.Get("sidecar"))
		return nil
	}
	if b.throughDapr() {
		if err := b.startSidecar(ctx); err != nil {
			return err
		}
	}
	return b.startRelay(ctx)
}

// announce tells that all answers: the result for people or as JSON, and the file
// for scripts.
func (b *backend) announce(text func(io.Writer)) error {
	if err := b.app.printer().Print("run", b.run, text); err != nil {
		return err
	}
	if b.options.readyFile != "" {
		if err := writeReady(b.options.readyFile, b.run); err != nil {
			return fmt.Errorf("write the ready file: %w", err)
		}
	}
	b.logs.ready()
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
	b.note(note)
	b.run.APIAddr = listener.Addr().String()
	return listener, nil
}

func (b *backend) note(note string) {
	if note != "" {
		b.notes = append(b.notes, note)
	}
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	return err == nil && (host == "localhost" || (ip != nil && ip.IsLoopback()))
}

func (b *backend) openStore(ctx context.Context) error {
	url := databaseURL(b.cfg)
	var err error
	b.store, err = store.Open(ctx, url, store.Options{Log: b.logs.of("store"), Metrics: b.registry})
	if err != nil {
		return err
	}
	b.run.Database = store.Describe(url)
	b.life.started("store", func(context.Context) error { return b.store.Close() })
	return nil
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
		checks = append(checks, server.Check{Name: "sidecar", Run: b.sidecarAPI().Ready})
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
		defer context.AfterFunc(ctx, options.Hub.Close)() // streams would keep Serve waiting
		return server.Serve(ctx, listener, handler, server.ServeOptions{Log: b.logs.of("api")})
	})
	b.logs.of("api").Info("listening", "addr", b.run.APIAddr)
}

// publishes tells whether events leave the outbox at all.
func (b *backend) publishes() bool {
	return b.cfg.Bool("dapr-enabled") && (b.cfg.Get("publisher") == "kafka" || b.cfg.Get("sidecar") != "off")
}

func (b *backend) startRelay(ctx context.Context) error {
	publisher, err := b.publisher()
	if err != nil {
		return err
	}
	log := b.logs.of("relay")
	relay := publish.NewRelay(publish.RelayOptions{
		Outbox: b.store, Publisher: publisher, Wake: b.store.Changed(), Log: log, Metrics: b.registry,
		Published: func(topic string, events []task.Event) { logPublished(log, topic, events) },
	})
	b.life.run(ctx, "relay", relay.Run)
	return nil
}

// publisher makes the publisher that is asked for; it connects when it is used.
func (b *backend) publisher() (publish.Publisher, error) {
	if b.cfg.Get("publisher") == "kafka" {
		client, err := kafkaClient(b.brokers, publish.KafkaOpts()...)
		if err != nil {
			return nil, err
		}
		b.life.started("Kafka client", func(context.Context) error { client.Close(); return nil })
		return publish.NewKafka(client), nil
	}
	dapr, err := publish.NewDapr(publish.DaprOptions{
		GRPCAddr: net.JoinHostPort("127.0.0.1", strconv.Itoa(b.run.DaprGRPCPort)),
		APIToken: b.cfg.Get("dapr-api-token"),
		PubSub:   b.cfg.Get("pubsub"),
	})
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
