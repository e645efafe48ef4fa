//go:build unix

package faults

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// workerKinds lists the faults that a stack with workers can be given.
func workerKinds(postgres, disk bool) []string {
	all := []string{
		"kill worker", "restart worker", "stop worker", "stop worker with daprd", "kill worker daprd", "stop worker daprd",
		"receiver 500", "receiver hang", "receiver cut", "receiver swallow",
		"kill serve", "kill daprd", "kill broker", "stop broker", "kafka cut", "kafka slow",
	}
	if postgres {
		all = append(all, "kill postgres", "terminate backends", "postgres cut", "postgres slow")
	}
	if disk {
		all = append(all, "disk full")
	}
	return all
}

// inject makes a fault happen as stack.inject does; those of workers and receiver are
// its own.
func (c *workerCampaign) inject(ctx context.Context, f fault) (string, error) {
	n := c.workers[f.pick%len(c.workers)]
	last := func() { pause(ctx, f.length) }
	switch {
	case f.kind == "kill worker":
		return n.cutOff(ctx, syscall.SIGKILL)
	case f.kind == "restart worker":
		return n.strike(syscall.SIGTERM), nil
	case f.kind == "stop worker":
		note, err := n.cutOff(ctx, syscall.SIGSTOP)
		last()
		n.strike(syscall.SIGCONT)
		return note, err
	case f.kind == "stop worker with daprd": // as a paused machine: the other worker replaces it
		note, err := n.cutOff(ctx, syscall.SIGSTOP)
		note += ", " + c.stack.sidecar(n.replica, syscall.SIGSTOP)
		pause(ctx, max(f.length, replaced))
		n.strike(syscall.SIGCONT)
		c.stack.sidecar(n.replica, syscall.SIGCONT)
		return note, err
	case f.kind == "kill worker daprd":
		return c.stack.sidecar(n.replica, syscall.SIGKILL), nil
	case f.kind == "stop worker daprd":
		note := c.stack.sidecar(n.replica, syscall.SIGSTOP)
		last()
		c.stack.sidecar(n.replica, syscall.SIGCONT)
		return note, nil
	case strings.HasPrefix(f.kind, "receiver "):
		before := c.hook.taken()
		c.hook.set(mood(strings.TrimPrefix(f.kind, "receiver ")))
		pause(ctx, 4*f.length) // so that some are out of attempts
		c.hook.set(willing)
		return fmt.Sprintf("%d taken meanwhile", c.hook.taken()-before), nil
	default:
		return c.stack.inject(ctx, f)
	}
}

// replaced is longer than the session of a sidecar that says nothing.
const replaced = 8 * time.Second

// redrive sends back what is out of attempts, as a user does, and says how it went.
func (c *workerCampaign) redrive(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.programs.todoctl, "dlq", "redrive", "--all", "--reason", "attempts", "--max-redrives", "1000",
		"--no-canary", "--yes", "--brokers", c.stack.kafka.addr(), "--data-dir", c.stack.dir)
	cmd.Dir = c.stack.dir
	out, err := cmd.CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1], err
}
