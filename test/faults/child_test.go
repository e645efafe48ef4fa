//go:build unix

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A child is a program that is started again whenever it ends, as systemd or
// Kubernetes do, until the test is over.
type child struct {
	name    string
	command func() *exec.Cmd
	stop    context.CancelFunc
	over    chan struct{} // closed when it has ended for good

	mu     sync.Mutex
	run    *os.Process // nil while none runs
	held   bool        // not to be started again for now
	killed bool        // this run was ended by the campaign
	ends   int
	own    int // ends that the campaign didn't ask for
}

// startChild starts a program whose output goes to a file, but for what its command
// says of stdout and stderr.
func startChild(t *testing.T, name, log string, command func() *exec.Cmd) *child {
	t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	c := &child{name: name, stop: stop, over: make(chan struct{}), command: func() *exec.Cmd {
		cmd := command()
		cmd.SysProcAttr = ownGroup()
		if cmd.Stdout == nil {
			cmd.Stdout = out
		}
		if cmd.Stderr == nil {
			cmd.Stderr = out
		}
		return cmd
	}}
	go c.supervise(ctx)
	t.Cleanup(func() {
		c.end()
		out.Close()
	})
	return c
}

func (c *child) supervise(ctx context.Context) {
	defer close(c.over)
	// See ownGroup: the thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for ctx.Err() == nil {
		cmd := c.start()
		if cmd != nil {
			_ = cmd.Wait() // however it ended, it is started again
			c.ended()
		}
		pause(ctx, 100*time.Millisecond)
	}
}

func (c *child) start() *exec.Cmd {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held {
		return nil
	}
	cmd := c.command()
	if err := cmd.Start(); err != nil {
		return nil
	}
	c.run, c.killed = cmd.Process, false
	return cmd
}

func (c *child) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends++
	if !c.killed {
		c.own++
	}
	c.run = nil
}

// signal sends a signal to the process that runs now.
func (c *child) signal(sig syscall.Signal) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return fmt.Errorf("%s isn't running", c.name)
	}
	c.killed = c.killed || sig == syscall.SIGKILL || sig == syscall.SIGTERM
	return c.run.Signal(sig)
}

// hold keeps it from being started again; release ends that.
func (c *child) hold(held bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = held
}

func (c *child) pid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.run == nil {
		return 0
	}
	return c.run.Pid
}

// counts are how often it ended, and how often by itself.
func (c *child) counts() (ends, own int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ends, c.own
}

// end ends it for good: asked, and killed when it doesn't listen.
func (c *child) end() {
	c.stop()
	c.hold(true)
	_ = c.signal(syscall.SIGCONT) // it may be gone, here and below
	_ = c.signal(syscall.SIGTERM)
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	select {
	case <-c.over:
		return
	case <-timer.C:
	}
	_ = c.signal(syscall.SIGKILL)
	<-c.over
}
