package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	components "github.com/todoctl/todoctl/dapr-components"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

// A rig is what the tables share: a broker, a sidecar before it, and the databases.
type rig struct {
	program
	options
	dir       string // removed at the end
	databases []database
	broker    *broker
	sidecar   *stack.Sidecar
	topic     *kgo.Client // asks how far the topic is
	python    guide
	closers   []func() error // in the order of the starts
}

func newRig(ctx context.Context, p program, o options) (_ *rig, err error) {
	r := &rig{program: p, options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	if r.dir, err = os.MkdirTemp(o.dir, "todoctl-bench"); err != nil {
		return nil, err
	}
	r.onClose(func() error { return os.RemoveAll(r.dir) })
	if r.broker, err = r.startBroker(ctx, filepath.Join(r.dir, "broker"), "127.0.0.1:0"); err != nil {
		return nil, err
	}
	r.onClose(func() error { return r.broker.stop() })
	if r.topic, err = kafka.NewClient(kafka.Options{Brokers: []string{r.broker.addr}, ClientID: "bench"}); err != nil {
		return nil, err
	}
	r.onClose(func() error { r.topic.Close(); return nil })
	if err := r.startSidecar(ctx); err != nil {
		return nil, err
	}
	return r, r.openDatabases(ctx)
}

func (r *rig) onClose(stop func() error) { r.closers = append(r.closers, stop) }

// close stops all in the reverse order.
func (r *rig) close() error {
	var errs []error
	for len(r.closers) > 0 {
		last := r.closers[len(r.closers)-1]
		r.closers = r.closers[:len(r.closers)-1]
		errs = append(errs, last())
	}
	return errors.Join(errs...)
}

// note tells how far the bench is.
func (r *rig) note(format string, args ...any) {
	fmt.Fprintf(r.progress, format+"\n", args...)
}

func (r *rig) openDatabases(ctx context.Context) error {
	if !r.needDatabases() {
		return nil
	}
	for _, name := range r.options.databases {
		if name == "sqlite" {
			r.databases = append(r.databases, &sqliteFiles{rig: r})
			continue
		}
		server, err := startPostgres(ctx, r)
		if err != nil {
			return err
		}
		r.onClose(func() error { return server.close(ctx) })
		r.databases = append(r.databases, server)
	}
	return nil
}

// startSidecar starts the sidecar that all contenders publish through.
func (r *rig) startSidecar(ctx context.Context) error {
	daprd, err := r.findDaprd()
	if err != nil {
		return err
	}
	dir := filepath.Join(r.dir, "sidecar")
	resources := filepath.Join(dir, "resources")
	if _, err := stack.WriteResources(stack.ResourceOptions{
		Sources: []fs.FS{components.Files}, Dir: resources, Brokers: []string{r.broker.addr},
	}); err != nil {
		return err
	}
	r.sidecar, err = stack.StartSidecar(ctx, stack.SidecarOptions{
		Daprd: daprd, AppID: "todo-backend", ResourcesPath: []string{resources}, Dir: dir, Env: r.env,
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	r.onClose(func() error { return r.sidecar.Stop(context.WithoutCancel(ctx)) })
	return nil
}

func (r *rig) findDaprd() (string, error) {
	return stack.FindDaprd(stack.FindOptions{
		Explicit: r.daprd, Env: r.getenv("TODOCTL_DAPRD"), SelfDir: filepath.Dir(r.todoctl), Home: r.getenv("HOME"),
	})
}

func (r *rig) getenv(name string) string {
	for _, entry := range r.env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// sidecarEnv tells a contender where the shared sidecar is, as `dapr run` does.
func (r *rig) sidecarEnv() []string {
	return []string{"DAPR_HTTP_PORT=" + strconv.Itoa(r.sidecar.HTTPPort()), "DAPR_GRPC_PORT=" + strconv.Itoa(r.sidecar.GRPCPort())}
}
