package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/server"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/internal/worker"
)

// subscribeWait bounds how long our own sidecar may take to subscribe the worker: it
// looks at the worker's health first.
const subscribeWait = 10 * time.Second

// A workerRun is the reminder worker with its sidecar, as `worker` and `dev` run it.
type workerRun struct {
	app      *app
	cfg      *config.Config
	logs     *logs
	log      *slog.Logger
	life     *lifecycle
	brokers  kafka.Options
	store    *store.Store
	registry *prometheus.Registry
	options  workerOptions
	external bool        // the sidecar is somebody else's
	shared   *appSidecar // whose ports the sidecar takes, for that one isn't started; nil for ports of its own
	run      *stack.Run  // where the worker is gets written here

	sidecar *appSidecar
	notes   notes
}

// start starts the parts, each on the one before: endpoint, sidecar, scheduler,
// notifications, whose dead letters go through the sidecar. It
// returns once the sidecar has subscribed, or at once when it can't start because the
// broker is away.
func (w *workerRun) start(ctx context.Context) error {
	settings, fan, err := w.channels()
	if err != nil {
		return err
	}
	listener, err := w.listen(ctx)
	if err != nil {
		return err
	}
	if err := w.chooseSidecar(ctx); err != nil {
		listener.Close()
		return err
	}
	publisher, err := w.sidecar.publisher()
	if err != nil {
		listener.Close()
		return err
	}
	w.life.started("worker's Dapr client", func(context.Context) error { return publisher.Close() })
	consumer := worker.New(worker.Options{
		Store: w.store, Publisher: letterSender{publisher}, Notify: settings, Fan: fan, Token: w.sidecar.appToken,
		Retry: w.options.retry, Group: w.cfg.Get("worker-app-id"), Log: w.log, Metrics: w.registry,
	})
	w.serve(ctx, listener, consumer)
	if err := w.sidecar.start(ctx); err != nil {
		return err
	}
	w.run.WorkerSidecarPID = w.sidecar.pid
	if w.sidecar.pid != 0 {
		if err := w.waitSubscribed(ctx); err != nil {
			return err
		}
	}
	scheduler := worker.NewScheduler(worker.SchedulerOptions{
		Reminders: reminders{w.store}, MaxLateness: w.options.retry.MaxLateness, Log: w.log, Metrics: w.registry,
	})
	w.life.run(ctx, "reminders", scheduler.Run)
	w.life.run(ctx, "notifications", consumer.Run)
	return nil
}

// channels are those of --notify-config, or log lines on stdout.
func (w *workerRun) channels() (notify.Config, *notify.Fan, error) {
	text, from := []byte("channels: {log: {type: log}}\ndefault: {channels: [log]}"), "notifications"
	if path := w.options.notifyConfig; path != "" {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return notify.Config{}, nil, usageError{fmt.Errorf("--notify-config: %w", err)}
		}
		from = path
	}
	settings, err := notify.Parse(text)
	if err != nil {
		return notify.Config{}, nil, usageError{fmt.Errorf("%s: %w", from, err)}
	}
	fan, err := settings.Open(notify.Parts{
		Out: w.app.stdout, Env: w.app.lookupEnv, GOOS: runtime.GOOS, Run: stack.Execute, Now: time.Now,
	})
	if err != nil {
		return notify.Config{}, nil, usageError{fmt.Errorf("%s: %w", from, err)}
	}
	return settings, fan, nil
}

// listen opens the worker's port; only the sidecar beside it calls there.
func (w *workerRun) listen(ctx context.Context) (net.Listener, error) {
	addr := w.cfg.Get("worker-addr")
	if port := w.app.env("APP_PORT"); w.external && port != "" && !w.cfg.Chosen("worker-addr") {
		addr = net.JoinHostPort("127.0.0.1", port) // dapr run --app-port
	}
	if !loopback(addr) {
		return nil, usagef("worker-addr %s is open to other machines, and only the sidecar on this one calls there: listen on 127.0.0.1", addr)
	}
	listener, note, err := stack.Listen(ctx, addr, w.cfg.Chosen("worker-addr"))
	if err != nil {
		return nil, fmt.Errorf("worker: %w", err)
	}
	w.notes.add(note)
	w.run.WorkerAddr = listener.Addr().String()
	return listener, nil
}

// chooseSidecar settles which sidecar stands beside the worker, where, and what it
// shows to the worker.
func (w *workerRun) chooseSidecar(ctx context.Context) error {
	w.sidecar = &appSidecar{
		app: w.app, cfg: w.cfg, logs: w.logs, log: w.log, life: w.life, brokers: w.brokers,
		part: workerSidecar, external: w.external, appID: w.cfg.Get("worker-app-id"), appAddr: w.run.WorkerAddr,
		appToken: w.cfg.Get("app-api-token"), waiting: "events wait in their topics",
		httpKey: "worker-dapr-http-port", grpcKey: "worker-dapr-grpc-port",
	}
	if w.external && !w.cfg.Chosen("worker-dapr-http-port") {
		w.sidecar.httpKey, w.sidecar.grpcKey = "dapr-http-port", "dapr-grpc-port"
	}
	switch {
	case w.sidecar.appToken != "":
	case w.external:
		w.log.Warn("APP_API_TOKEN is not set: every process on this machine can hand events to the worker")
	default:
		w.sidecar.appToken = rand.Text()
	}
	var notes []string
	var err error
	if w.shared != nil {
		w.sidecar.httpPort, w.sidecar.grpcPort = w.shared.httpPort, w.shared.grpcPort
	} else {
		notes, err = w.sidecar.choosePorts(ctx)
	}
	w.notes.add(notes...)
	w.run.WorkerDaprHTTPPort, w.run.WorkerDaprGRPCPort = w.sidecar.httpPort, w.sidecar.grpcPort
	return err
}

func (w *workerRun) serve(ctx context.Context, listener net.Listener, consumer *worker.Worker) {
	mux := http.NewServeMux()
	mux.Handle("/", consumer.Handler())
	mux.Handle("GET /metrics", promhttp.HandlerFor(w.registry, promhttp.HandlerOpts{}))
	w.life.run(ctx, "worker", func(ctx context.Context) error {
		return server.Serve(ctx, listener, mux, server.ServeOptions{Log: w.log, Grace: stopTimeout})
	})
	w.log.Info("listening", "addr", w.run.WorkerAddr)
}

// waitSubscribed returns once the sidecar has the worker's subscriptions.
func (w *workerRun) waitSubscribed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, subscribeWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		metadata, err := w.sidecar.api().Metadata(ctx)
		missing := unsubscribed(metadata)
		if err == nil && len(missing) == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(err, fmt.Errorf("the worker's sidecar, %s, has not subscribed to %s after %s: "+
				"its resources need the subscriptions of dapr-components/subscriptions.yaml, with that app id in their scopes",
				w.cfg.Get("worker-app-id"), strings.Join(missing, " and "), subscribeWait))
		}
	}
}

func unsubscribed(metadata stack.Metadata) []string {
	missing := []string{task.Topic, task.RemindersTopic}
	return slices.DeleteFunc(missing, func(topic string) bool {
		return slices.ContainsFunc(metadata.Subscriptions, func(s stack.Subscription) bool { return s.Topic == topic })
	})
}

// letterSender publishes dead letters through the sidecar.
type letterSender struct{ dapr *publish.Dapr }

// Publish implements worker.Publisher.
func (l letterSender) Publish(ctx context.Context, topic, key string, event []byte) error {
	return publishOne(ctx, l.dapr, topic, key, event)
}

// publishOne publishes a single event through a sidecar.
func publishOne(ctx context.Context, dapr *publish.Dapr, topic, key string, event []byte) error {
	return errors.Join(dapr.Publish(ctx, topic, []publish.Message{{ID: "0", Key: key, ContentType: task.ContentType, Data: event}})...)
}

// reminders is the store as the scheduler sees it.
type reminders struct{ store *store.Store }

// ClaimReminders implements worker.Reminders.
func (r reminders) ClaimReminders(ctx context.Context, limit int, maxLateness time.Duration) (worker.Claimed, error) {
	claimed, err := r.store.ClaimReminders(ctx, limit, maxLateness)
	return worker.Claimed(claimed), err
}
