package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// stopTimeout is how long a child may take to stop when it is asked to.
const stopTimeout = 45 * time.Second

// A child is a process that the bench started.
type child struct {
	name   string
	cmd    *exec.Cmd
	output lockedBuffer
	ended  chan struct{} // closed when the process has ended and err stands
	err    error
}

// A lockedBuffer keeps what a child prints.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// A command is how to start a child. Its working folder is dir.
type command struct {
	dir  string
	env  []string // on top of the bench's own
	argv []string
}

// start starts a process that runs until it is stopped or ctx ends.
func (r *rig) start(ctx context.Context, c command) (*child, error) {
	p := &child{name: c.argv[0], ended: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	p.cmd.Dir, p.cmd.Env = c.dir, slices.Concat(r.env, c.env)
	p.cmd.Stdout, p.cmd.Stderr = &p.output, &p.output
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(os.Interrupt) }
	p.cmd.WaitDelay = stopTimeout
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// stop asks the process to stop and waits for its end.
func (p *child) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(stopTimeout)
	defer timer.Stop()
	select {
	case <-p.ended:
		return p.failure()
	case <-timer.C:
		return errors.Join(fmt.Errorf("%s didn't stop in %s", p.name, stopTimeout), p.cmd.Process.Kill())
	}
}

// failure tells how the process went wrong, with what it printed; nil when it
// didn't. To be asked once it has ended.
func (p *child) failure() error {
	if p.err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %s", p.name, p.err, strings.TrimSpace(p.output.String()))
}

// until waits for a condition that a child is to bring about. what is said when the
// child ends before, or when it takes too long.
func (p *child) until(ctx context.Context, limit time.Duration, what string, is func() bool) error {
	err := until(ctx, p.ended, limit, what, is)
	if errors.Is(err, errEnded) {
		return fmt.Errorf("%s ended before: %s: %s", p.name, what, strings.TrimSpace(p.output.String()))
	}
	return err
}

var errEnded = errors.New("ended")

func until(ctx context.Context, ended <-chan struct{}, limit time.Duration, what string, is func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not within %s: %s", limit, what))
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ended:
			return errEnded
		case <-tick.C:
		}
	}
	return nil
}

// ask runs one of the bench's own parts to its end and decodes the JSON it prints.
// The time of both cores that it took is returned beside.
func (r *rig) ask(ctx context.Context, into any, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, r.self, args...)
	cmd.Env = r.env
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	if err := json.Unmarshal(out, into); err != nil {
		return 0, fmt.Errorf("%s: %w", args[0], err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
