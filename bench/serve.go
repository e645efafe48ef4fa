package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/todoctl/todoctl/internal/stack"
)

// A backend is an API that creates tasks: `todoctl serve` or the guide's.
type backend struct {
	*child
	addr string
}

// serve starts `todoctl serve` on a database and returns when it answers.
func (r *rig) serve(ctx context.Context, database string, env []string, args ...string) (*backend, error) {
	dir, err := os.MkdirTemp(r.dir, "serve")
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "ready")
	p, err := r.start(ctx, command{dir: dir, env: env, argv: append([]string{
		r.todoctl, "serve", "--api-addr", "127.0.0.1:0", "--database", database, "--data-dir", dir, "--ready-file", ready,
	}, args...)})
	if err != nil {
		return nil, err
	}
	if err := p.until(ctx, 30*time.Second, "serve is ready", func() bool {
		_, err := os.Stat(ready)
		return err == nil
	}); err != nil {
		return nil, errors.Join(err, p.stop())
	}
	var run stack.Run
	text, err := os.ReadFile(ready)
	if err == nil {
		err = json.Unmarshal(text, &run)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("ready file: %w", err), p.stop())
	}
	return &backend{p, run.APIAddr}, nil
}

// relaying starts `todoctl serve` on the shared sidecar.
func (r *rig) relaying(ctx context.Context, database string) (*backend, error) {
	return r.serve(ctx, database, append(r.sidecarEnv(), "DAPR_ENABLED=true"), "--brokers", r.broker.addr, "--sidecar", "external")
}

// silent starts `todoctl serve` without a relay: events wait in the outbox.
func (r *rig) silent(ctx context.Context, database string) (*backend, error) {
	return r.serve(ctx, database, []string{"DAPR_ENABLED=false"})
}

// freeAddr is an address of loopback that nobody listens on now.
func freeAddr(ctx context.Context) (string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
