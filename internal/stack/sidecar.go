package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// stopTimeout is how long a sidecar may take to stop before it is killed: a little
// longer than it gives itself.
const stopTimeout = (gracefulSeconds + 5) * time.Second

// SidecarOptions say how to run a sidecar. Daprd, AppID, Dir and Log are required.
type SidecarOptions struct {
	Daprd string // path of the binary, see FindDaprd
	AppID string
	// AppPort is the app's HTTP port on loopback, whose /livez tells that it is
	// healthy; 0 for an app that only publishes.
	AppPort int

	// The ports, on loopback; 0 picks a free one. One that is taken is a *PortError.
	HTTPPort, GRPCPort, MetricsPort, InternalGRPCPort int

	ResourcesPath []string // folders of Dapr resources; their top level is read
	ConfigFile    string   // a Dapr Configuration on top of todoctl's own; it wins
	LogLevel      string   // debug, info, warn, error; "" is info
	APIToken      string   // what callers of the sidecar must show; "" for nothing
	AppAPIToken   string   // what the sidecar shows to the app
	Env           []string // the environment to run in, normally os.Environ()
	ExtraArgs     []string // appended to daprd's command line

	// Dir is the folder daprd runs in, and where AppID.pid and AppID.config.yaml are
	// written; made when it isn't there. Not to be shared by two stacks.
	Dir string
	// AppCommand is what `dapr list` shows as the app's command.
	AppCommand string
	// ReadyTimeout bounds each start, a restart included; 0 is 30 s.
	ReadyTimeout time.Duration
	Log          *slog.Logger // takes the sidecar's lines, with their time and scope
}

// A Sidecar is a daprd that is kept running until Stop.
type Sidecar struct {
	opts   SidecarOptions
	api    Endpoint
	cancel context.CancelFunc // begins the graceful stop
	done   chan struct{}

	mu      sync.Mutex
	current *process

	err error // why it ended, once done is closed
}

// StartSidecar starts daprd and returns when it takes calls to the outside. ctx
// bounds the start only; the sidecar then runs until Stop, or until it has died
// too often. An error tells in one line what daprd couldn't do, and leaves no
// process.
func StartSidecar(ctx context.Context, opts SidecarOptions) (*Sidecar, error) {
	opts, err := opts.complete(ctx)
	if err != nil {
		return nil, err
	}
	if err := opts.checkFiles(); err != nil {
		return nil, err
	}
	if err := endLeftover(opts); err != nil {
		return nil, err
	}
	if err := opts.checkPorts(ctx); err != nil {
		return nil, err
	}
	s := &Sidecar{
		opts: opts,
		api:  Endpoint{Addr: localAddr(opts.HTTPPort), Token: opts.APIToken},
		done: make(chan struct{}),
	}
	p, sink, err := s.launch(ctx)
	if err != nil {
		return nil, fmt.Errorf("start sidecar: %w", err)
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	go s.supervise(running, p, sink)
	return s, nil
}

// API returns the sidecar's HTTP API. It stays the same through restarts.
func (s *Sidecar) API() Endpoint { return s.api }

// HTTPPort returns the port of the HTTP API.
func (s *Sidecar) HTTPPort() int { return s.opts.HTTPPort }

// GRPCPort returns the port of the gRPC API.
func (s *Sidecar) GRPCPort() int { return s.opts.GRPCPort }

// PID returns the process id of the daprd that runs now; a restart changes it.
func (s *Sidecar) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.current.pid()
}

// Metadata reads what the sidecar has loaded.
func (s *Sidecar) Metadata(ctx context.Context) (Metadata, error) { return s.api.Metadata(ctx) }

// Done is closed when the sidecar has ended for good.
func (s *Sidecar) Done() <-chan struct{} { return s.done }

// Err returns why the sidecar ended for good: nil before Done is closed, and after
// a clean Stop.
func (s *Sidecar) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Stop asks the sidecar to finish what is in flight and end, and waits for it. It
// is killed when that takes longer than 35 s, or when ctx ends; that is an error.
// A second call waits for the first. Of a sidecar that has ended by itself it
// returns Err.
func (s *Sidecar) Stop(ctx context.Context) error {
	s.cancel()
	select {
	case <-s.done:
	case <-ctx.Done():
		s.mu.Lock()
		s.current.kill()
		s.mu.Unlock()
		<-s.done
	}
	return s.err
}

// launch starts the process and waits until it is ready and announced.
func (s *Sidecar) launch(ctx context.Context) (*process, *logSink, error) {
	sink := &logSink{log: s.opts.Log, min: slogLevel(s.opts.LogLevel)}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), s.opts.Daprd, s.opts.args()...)
	cmd.Dir, cmd.Env = s.opts.Dir, s.opts.environ()
	p, err := startProcess(cmd, sink)
	if err != nil {
		return nil, nil, fmt.Errorf("run %s: %w", s.opts.Daprd, err)
	}
	s.mu.Lock()
	s.current = p
	s.mu.Unlock()
	if err = s.opts.recordPID(p.pid()); err == nil {
		err = s.waitReady(ctx, p)
	}
	if err == nil {
		err = s.announce(ctx)
	}
	if err == nil && sink.doomed.Load() {
		err = errEnding
	}
	if err != nil {
		return nil, nil, s.bury(ctx, p, sink, err)
	}
	return p, sink, nil
}

var errEnding = errors.New("it is shutting down")

// bury ends a process that didn't get ready, and tells why: in its own words where
// it ends by itself, for which it gets a moment.
func (s *Sidecar) bury(ctx context.Context, p *process, sink *logSink, err error) error {
	defer s.opts.forgetPID()
	moment := time.NewTimer(2 * time.Second)
	defer moment.Stop()
	select {
	case <-p.done:
		return sink.cause(p)
	case <-ctx.Done():
	case <-moment.C:
	}
	p.kill()
	<-p.done
	return sink.explain(err)
}

// waitReady polls until the sidecar takes calls to the outside.
func (s *Sidecar) waitReady(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.opts.ReadyTimeout,
		fmt.Errorf("not ready after %s", s.opts.ReadyTimeout))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return errEnding
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
			if s.api.Ready(ctx) == nil {
				return nil
			}
		}
	}
}

// announce makes sure that it is this sidecar that answers, and tells it who runs
// it, which is what `dapr list` shows and `dapr stop` ends.
func (s *Sidecar) announce(ctx context.Context) error {
	m, err := s.api.Metadata(ctx)
	if err != nil {
		return err
	}
	if m.AppID != s.opts.AppID {
		return fmt.Errorf("a sidecar of another app, %q, answers on %s", m.AppID, s.api.Addr)
	}
	self := strconv.Itoa(os.Getpid())
	for _, kv := range [][2]string{{"appPID", self}, {"cliPID", self}, {"appCommand", s.opts.AppCommand}} {
		if err := s.api.SetMetadata(ctx, kv[0], kv[1]); err != nil {
			return err
		}
	}
	return nil
}
