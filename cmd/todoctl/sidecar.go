package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	components "github.com/todoctl/todoctl/dapr-components"
	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/stack"
)

const (
	// The sidecars' names in the log and their folders in the data folder.
	apiSidecar    = "sidecar"
	workerSidecar = "worker-sidecar"

	// retrySidecar is how long to wait before a sidecar is started again that could
	// not start because its broker is away.
	retrySidecar = 3 * time.Second

	// externalWait is how long somebody else's sidecar may take to answer before it
	// is told that events wait for it. `dapr run` starts it beside the app.
	externalWait = 30 * time.Second
)

// An appSidecar is the daprd that stands beside the task API or the worker: one that is
// there already or one of our own.
type appSidecar struct {
	app     *app
	cfg     *config.Config
	logs    *logs
	log     *slog.Logger
	life    *lifecycle
	brokers kafka.Options

	part     string // its name in the log and in the data folder
	external bool   // somebody else's: dapr run and Kubernetes say where it is
	appID    string
	appAddr  string // where it finds the app
	appToken string // what it shows to the app
	waiting  string // what is told while it is away

	httpKey, grpcKey   string // the settings of its ports
	httpPort, grpcPort int    // once choosePorts has settled them
	pid                int    // of the first start, 0 for none
}

// runsUnderDapr tells whether the sidecar is somebody else's: dapr run and Kubernetes
// say where it is in DAPR_HTTP_PORT.
func runsUnderDapr(cfg *config.Config) bool {
	mode := cfg.Get("sidecar")
	return mode == "external" || (mode == "auto" && cfg.Source("dapr-http-port") == "DAPR_HTTP_PORT")
}

// choosePorts settles where the sidecar answers, before it is started, and notes what
// the user should know.
func (s *appSidecar) choosePorts(ctx context.Context) (notes []string, err error) {
	for _, of := range []struct {
		key  string
		port *int
	}{{s.httpKey, &s.httpPort}, {s.grpcKey, &s.grpcPort}} {
		*of.port = s.cfg.Int(of.key)
		if s.external {
			continue
		}
		picked, note, err := stack.PickPort(ctx, *of.port, s.cfg.Chosen(of.key))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.part, err)
		}
		if note != "" {
			notes = append(notes, note)
		}
		*of.port = picked
	}
	return notes, nil
}

func (s *appSidecar) api() stack.Endpoint {
	return stack.Endpoint{
		Addr:  net.JoinHostPort("127.0.0.1", strconv.Itoa(s.httpPort)),
		Token: s.cfg.Get("dapr-api-token"),
	}
}

// start attaches to the sidecar that is there, or starts one and keeps it
// running.
func (s *appSidecar) start(ctx context.Context) error {
	if s.external {
		s.life.run(ctx, s.part+" check", s.watchExternal)
		return nil
	}
	options, err := s.options()
	if err != nil {
		return err
	}
	sidecar, err := s.launch(ctx, options)
	if err == nil {
		s.pid = sidecar.PID()
	} else if !s.brokerAway(ctx) {
		return s.explained(ctx, err)
	}
	s.life.run(ctx, s.part, func(ctx context.Context) error { return s.keep(ctx, sidecar, options) })
	return nil
}

// watchExternal says once whether the sidecar is there and has the pubsub. Events
// wait until it has.
func (s *appSidecar) watchExternal(ctx context.Context) error {
	_, metadata, err := stack.Attach(ctx, stack.AttachOptions{
		HTTPPort: s.httpPort, APIToken: s.cfg.Get("dapr-api-token"), Wait: externalWait,
	})
	if err == nil {
		err = stack.CheckPubsub(metadata, s.cfg.Get("pubsub"))
	}
	if err == nil {
		s.log.Info("attached to the sidecar", "version", metadata.Version, "app_id", metadata.AppID)
	} else if ctx.Err() == nil {
		s.log.Warn("no sidecar: "+s.waiting, "err", err) //nolint:sloglint // one of two constants
	}
	<-ctx.Done()
	return nil
}

// keep keeps a sidecar running until ctx ends. While the broker is away
// daprd can't start at all (Dapr exits when a component fails to load), so it is
// tried again; any other failure ends the stack. sidecar is nil when the first
// start failed.
func (s *appSidecar) keep(ctx context.Context, sidecar *stack.Sidecar, options stack.SidecarOptions) error {
	for {
		if sidecar != nil {
			select {
			case <-ctx.Done():
				return sidecar.Stop(context.WithoutCancel(ctx))
			case <-sidecar.Done():
			}
			if err := sidecar.Err(); !s.brokerAway(ctx) {
				return s.explained(ctx, err)
			}
		}
		s.log.Error("the broker is away, so the sidecar can't start: "+s.waiting, "brokers", brokerAddress(s.cfg, s.brokers.Brokers)) //nolint:sloglint // one of two constants
		var err error
		if sidecar, err = s.relaunch(ctx, options); err != nil {
			return err
		}
		if sidecar == nil {
			return nil
		}
		s.log.Info("sidecar is ready")
	}
}

// relaunch tries to start the sidecar for as long as the broker is away; nil is for
// the end of ctx.
func (s *appSidecar) relaunch(ctx context.Context, options stack.SidecarOptions) (*stack.Sidecar, error) {
	tick := time.NewTicker(retrySidecar)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, nil
		case <-tick.C:
		}
		if s.brokerAway(ctx) {
			continue
		}
		sidecar, err := s.launch(ctx, options)
		if err == nil || ctx.Err() != nil {
			return sidecar, nil
		}
		if !s.brokerAway(ctx) {
			return nil, s.explained(ctx, err)
		}
	}
}

// launch starts a sidecar; one that failed is started once more, since what was
// away may be back by the time that it is asked.
func (s *appSidecar) launch(ctx context.Context, options stack.SidecarOptions) (*stack.Sidecar, error) {
	sidecar, err := s.tryLaunch(ctx, options)
	if err == nil || ctx.Err() != nil || s.brokerAway(ctx) {
		return sidecar, err
	}
	return s.tryLaunch(ctx, options)
}

// tryLaunch starts a sidecar and sees to it that it has the pubsub.
func (s *appSidecar) tryLaunch(ctx context.Context, options stack.SidecarOptions) (*stack.Sidecar, error) {
	sidecar, err := stack.StartSidecar(ctx, options)
	if err != nil {
		return nil, err
	}
	metadata, err := sidecar.Metadata(ctx)
	if err == nil {
		err = stack.CheckPubsub(metadata, s.cfg.Get("pubsub"))
	}
	if err != nil {
		return nil, errors.Join(err, sidecar.Stop(context.WithoutCancel(ctx)))
	}
	return sidecar, nil
}

// brokerAway tells whether no broker answers: the usual reason for a sidecar that
// doesn't start.
func (s *appSidecar) brokerAway(ctx context.Context) bool {
	err := reachBroker(ctx, s.cfg, s.brokers)
	var refused *kafka.AccessError
	return err != nil && !errors.As(err, &refused)
}

// explained is why a sidecar doesn't start: that the brokers don't let in who comes as
// the settings say, since the sidecar does too, or else what it said itself. Without
// such settings the component may have its own.
func (s *appSidecar) explained(ctx context.Context, err error) error {
	var refused *kafka.AccessError
	if err != nil && s.brokers.Security.On() && errors.As(reachBroker(ctx, s.cfg, s.brokers), &refused) {
		return fmt.Errorf("%s can't start: %w", s.part, refused)
	}
	return err
}

func (s *appSidecar) options() (stack.SidecarOptions, error) {
	daprd, err := s.app.findDaprd(s.cfg)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	dir := filepath.Join(s.cfg.Get("data-dir"), s.part)
	resources := filepath.Join(dir, "resources")
	sources, err := resourceSources(s.cfg)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	var files []fs.FS
	for _, source := range sources {
		files = append(files, source.fs)
	}
	redis := ""
	if profileOf(s.cfg) == stack.Redis || s.cfg.Chosen("redis-addr") {
		redis = s.cfg.Get("redis-addr")
	}
	if _, err := stack.WriteResources(stack.ResourceOptions{
		Sources: files, Dir: resources, Brokers: s.brokers.Brokers, Security: s.brokers.Security, Redis: redis, PublishOnly: s.part == apiSidecar,
	}); err != nil {
		return stack.SidecarOptions{}, err
	}
	_, port, err := net.SplitHostPort(s.appAddr)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	appPort, err := strconv.Atoi(port)
	if err != nil {
		return stack.SidecarOptions{}, err
	}
	return stack.SidecarOptions{
		Daprd: daprd, AppID: s.appID, AppPort: appPort,
		HTTPPort: s.httpPort, GRPCPort: s.grpcPort, MetricsPort: s.metricsPort(),
		ResourcesPath: []string{resources}, ConfigFile: s.cfg.Get("dapr-config"), LogLevel: s.cfg.Get("log-level"),
		APIToken: s.cfg.Get("dapr-api-token"), AppAPIToken: s.appToken,
		Env: slices.Concat(s.app.environ, brokerEnviron(s.cfg), stack.SecurityEnv(s.brokers.Security)), Dir: dir, AppCommand: "todoctl", Log: s.logs.of(s.part),
	}, nil
}

// publisher publishes through the sidecar; it connects when it is used.
func (s *appSidecar) publisher() (*publish.Dapr, error) {
	return publish.NewDapr(publish.DaprOptions{
		GRPCAddr: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.grpcPort)),
		APIToken: s.cfg.Get("dapr-api-token"),
		PubSub:   s.cfg.Get("pubsub"),
	})
}

// metricsPort is that of the setting for the task API's sidecar only: two can't share it.
func (s *appSidecar) metricsPort() int {
	if s.part != apiSidecar {
		return 0
	}
	return s.cfg.Int("metrics-port")
}

// A resourceSource is a folder of component files; dir is empty for the built-in ones.
type resourceSource struct {
	dir string
	fs  fs.FS
}

// resourceSources are the folders of component files: those that were named, else
// dapr-components here, else the built-in ones; of the latter two the part of the profile.
func resourceSources(cfg *config.Config) ([]resourceSource, error) {
	var sources []resourceSource
	for _, dir := range cfg.List("resources-path") {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("resources-path %s (from %s): no such folder", dir, cfg.Source("resources-path"))
		}
		sources = append(sources, resourceSource{dir, os.DirFS(dir)})
	}
	if sources != nil {
		return sources, nil
	}
	source, err := profileSource(cfg)
	if err != nil {
		return nil, err
	}
	return []resourceSource{source}, nil
}

// profileSource is the folder of the profile's component files here, or the built-in ones.
func profileSource(cfg *config.Config) (resourceSource, error) {
	within := "."
	if profile := profileOf(cfg); profile != stack.Kafka {
		within = path.Join("alternatives", string(profile))
	}
	dir := filepath.Join("dapr-components", filepath.FromSlash(within))
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return resourceSource{dir, os.DirFS(dir)}, nil
	}
	builtin, err := fs.Sub(components.Files, within)
	return resourceSource{fs: builtin}, err
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
