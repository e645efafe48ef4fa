package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/stack"
)

// A broker is the embedded broker in a process of its own.
type broker struct {
	*child
	addr string
}

// runBroker runs the embedded broker, its data in the folder of its arguments and
// synced to disk as in `todoctl dev`, until ctx ends.
func runBroker(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 2 {
		return errors.New("the broker needs a folder and an address")
	}
	listener, _, err := stack.Listen(ctx, args[1], true)
	if err != nil {
		return err
	}
	b, err := stack.StartBroker(ctx, stack.BrokerOptions{Listener: listener, DataDir: args[0], Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer b.Close()
	fmt.Fprintln(out, b.Addr())
	<-ctx.Done()
	return nil
}

// startBroker returns a broker that has the topics.
func (r *rig) startBroker(ctx context.Context, dir, addr string) (*broker, error) {
	p, err := r.start(ctx, command{argv: []string{r.self, "child-broker", dir, addr}})
	if err != nil {
		return nil, err
	}
	b := &broker{child: p}
	if err := p.until(ctx, 10*time.Second, "the broker listens", func() bool {
		var whole bool
		b.addr, _, whole = strings.Cut(p.output.String(), "\n")
		return whole
	}); err != nil {
		return nil, errors.Join(err, b.stop())
	}
	setup := exec.CommandContext(ctx, r.todoctl, "topics", "setup", "--brokers", b.addr)
	setup.Dir, setup.Env = r.dir, r.env
	if out, err := setup.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("topics setup: %w: %s", err, out), b.stop())
	}
	return b, nil
}
