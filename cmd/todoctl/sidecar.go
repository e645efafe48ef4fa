package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	components "github.com/todoctl/todoctl/dapr-components"
	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

const (
	// retrySidecar is how long to wait before a sidecar is started again that could
	// not start because its broker is away.
	retrySidecar = 3 * time.Second

	// externalWait is how long somebody else's sidecar may take to answer before it
	// is told that events wait for it. `dapr run` starts it beside the app.
	externalWait = 30 * time.Second
)

// throughDapr tells whether events go through a sidecar.
func (b *backend) throughDapr() bool { return b.publishes() && b.cfg.Get("publisher") == "dapr" }

// external tells whether the sidecar is somebody else's: dapr run and Kubernetes
// say where it is in DAPR_HTTP_PORT.
func (b *backend) external() bool {
	mode := b.cfg.Get("sidecar")
	return mode == "external" || (mode == "auto" && b.cfg.Source("dapr-http-port") == "DAPR_HTTP_PORT")
}

// choosePorts settles where the sidecar answers, before it is started.
func (b *backend) choosePorts(ctx context.Context) error {
	for key, port := range map[string]*int{"dapr-http-port": &b.run.DaprHTTPPort, "dapr-grpc-port": &b.run.DaprGRPCPort} {
		*port = b.cfg.Int(key)
		if !b.throughDapr() || b.external() {
			continue
		}
		picked, note, err := stack.PickPort(ctx, *port, b.cfg.Chosen(key))
		if err != nil {
			return fmt.Errorf("sidecar: %w", err)
		}
		b.note(note)
		*port = picked
	}
	return nil
}

func (b *backend) sidecarAPI() stack.Endpoint {
	return stack.Endpoint{
		Addr:  net.JoinHostPort("127.0.0.1", strconv.Itoa(b.run.DaprHTTPPort)),
		Token: b.cfg.Get("dapr-api-token"),
	}
}

// startSidecar attaches to the sidecar that is there, or starts one and keeps it
// running.
func (b *backend) startSidecar(ctx context.Context) error {
	if b.external() {
		b.life.run(ctx, "sidecar check", b.watchExternal)
		return nil
	}
	options, err := b.sidecarOptions()
	if err != nil {
		return err
	}
	sidecar, err := b.launch(ctx, options)
	if err == nil {
		b.run.SidecarPID = sidecar.PID()
	} else if !b.brokerAway(ctx) {
		return err
	}
	b.life.run(ctx, "sidecar", func(ctx context.Context) error { return b.keepSidecar(ctx, sidecar, options) })
	return nil
}

// watchExternal says once whether the sidecar is there and has the pubsub. Events
// wait in the outbox until it has.
func (b *backend) watchExternal(ctx context.Context) error {
	_, metadata, err := stack.Attach(ctx, stack.AttachOptions{
		HTTPPort: b.run.DaprHTTPPort, APIToken: b.cfg.Get("dapr-api-token"), Wait: externalWait,
	})
	if err == nil {
		err = stack.CheckPubsub(metadata, b.cfg.Get("pubsub"))
	}
	if err == nil {
		b.log.Info("attached to the sidecar", "version", metadata.Version, "app_id", metadata.AppID)
	} else if ctx.Err() == nil {
		b.log.Warn("no sidecar to publish through: events wait in the outbox", "err", err)
	}
	<-ctx.Done()
	return nil
}

// keepSidecar keeps a sidecar running until ctx ends. While the broker is away
// daprd can't start at all (Dapr exits when a component fails to load), so it is
// tried again; any other failure ends the stack. sidecar is nil when the first
// start failed.
func (b *backend) keepSidecar(ctx context.Context, sidecar *stack.Sidecar, options stack.SidecarOptions) error {
	for {
		if sidecar != nil {
			select {
			case <-ctx.Done():
				return sidecar.Stop(context.WithoutCancel(ctx))
			case <-sidecar.Done():
			}
			if err := sidecar.Err(); !b.brokerAway(ctx) {
				return err
			}
		}
		b.log.Error("the broker is away, so the sidecar can't start: events wait in the outbox", "brokers", b.brokers)
		var err error
		if sidecar, err = b.relaunch(ctx, options); err != nil {
			return err
		}
		if sidecar == nil {
			return nil
		}
		b.log.Info("sidecar is ready")
	}
}

// relaunch tries to start the sidecar for as long as the broker is away; nil is for
// the end of ctx.
func (b *backend) relaunch(ctx context.Context, options stack.SidecarOptions) (*stack.Sidecar, error) {
	tick := time.NewTicker(retrySidecar)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-tick.C:
		}
		if b.brokerAway(ctx) {
			continue
		}
		sidecar, err := b.launch(ctx, options)
		if err == nil || ctx.Err() != nil {
			return sidecar, nil
		}
		if !b.brokerAway(ctx) {
			return nil, err
		}
	}
}

// launch starts a sidecar; one that failed is started once more, since what was
// away may be back by the time that it is asked.
func (b *backend) launch(ctx context.Context, options stack.SidecarOptions) (*stack.Sidecar, error) {
	sidecar, err := b.tryLaunch(ctx, options)
	if err == nil || ctx.Err() != nil || b.brokerAway(ctx) {
		return sidecar, err
	}
	return b.tryLaunch(ctx, options)
}

// tryLaunch starts a sidecar and sees to it that it has the pubsub.
func (b *backend) tryLaunch(ctx context.Context, options stack.SidecarOptions) (*stack.Sidecar, error) {
	sidecar, err := stack.StartSidecar(ctx, options)
	if err != nil {
		return nil, err
	}
	metadata, err := sidecar.Metadata(ctx)
	if err == nil {
		err = stack.CheckPubsub(metadata, b.cfg.Get("pubsub"))
	}
	if err != nil {
		return nil, errors.Join(err, sidecar.Stop(context.WithoutCancel(ctx)))
	}
	return sidecar, nil
}

// brokerAway tells whether no broker answers: the usual reason for a sidecar that
// doesn't start.
func (b *backend) brokerAway(ctx context.Context) bool {
	client, err := kafkaClient(b.brokers)
	if err != nil {
		return false
	}
	defer client.Close()
	return kafka.Reach(ctx, client, 2*time.Second) != nil
}

func (b *backend) sidecarOptions() (stack.SidecarOptions, error) {
	daprd, err := b.app.findDaprd(b.cfg)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	dir := filepath.Join(b.cfg.Get("data-dir"), "sidecar")
	resources := filepath.Join(dir, "resources")
	sources, err := resourceSources(b.cfg)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	if _, err := stack.WriteResources(stack.ResourceOptions{Sources: sources, Dir: resources, Brokers: b.brokers}); err != nil {
		return stack.SidecarOptions{}, err
	}
	_, port, err := net.SplitHostPort(b.run.APIAddr)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	appPort, err := strconv.Atoi(port)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	return stack.SidecarOptions{
		Daprd: daprd, AppID: b.cfg.Get("app-id"), AppPort: appPort,
		HTTPPort: b.run.DaprHTTPPort, GRPCPort: b.run.DaprGRPCPort, MetricsPort: b.cfg.Int("metrics-port"),
		ResourcesPath: []string{resources}, ConfigFile: b.cfg.Get("dapr-config"), LogLevel: b.cfg.Get("log-level"),
		APIToken: b.cfg.Get("dapr-api-token"), AppAPIToken: b.cfg.Get("app-api-token"),
		Env: b.app.environ, Dir: dir, AppCommand: "todoctl", Log: b.logs.of("sidecar"),
	}, nil
}

// resourceSources are the folders of component files: those that were named, else
// dapr-components here, else the built-in ones.
func resourceSources(cfg *config.Config) ([]fs.FS, error) {
	var sources []fs.FS
	for _, dir := range cfg.List("resources-path") {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("resources-path %s (from %s): no such folder", dir, cfg.Source("resources-path"))
		}
		sources = append(sources, os.DirFS(dir))
	}
	if sources != nil {
		return sources, nil
	}
	if info, err := os.Stat("dapr-components"); err == nil && info.IsDir() {
		return []fs.FS{os.DirFS("dapr-components")}, nil
	}
	return []fs.FS{components.Files}, nil
}

func (a *app) findDaprd(cfg *config.Config) (string, error) {
	options := stack.FindOptions{Home: a.env("HOME")}
	if cfg.Source("daprd") == "TODOCTL_DAPRD" {
		options.Env = cfg.Get("daprd")
	} else {
		options.Explicit = cfg.Get("daprd")
	}
	if self, err := os.Executable(); err == nil {
		options.SelfDir = filepath.Dir(self)
	}
	return stack.FindDaprd(options)
}
