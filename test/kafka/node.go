package kafka

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// stopWithin is how long a node may take to end in good order.
const stopWithin = 5 * time.Second

// A node is one broker and controller, in a process of its own while it runs.
type node struct {
	id      int
	java    []string // the command, up to the class
	dir     string
	address string // of the broker
	process *os.Process
	exited  chan struct{} // closed when the process has ended
}

func (n *node) settings() string { return filepath.Join(n.dir, "server.properties") }
func (n *node) log() string      { return filepath.Join(n.dir, "log") }

// format makes the storage of a node that has never run.
func (n *node) format(ctx context.Context, cluster string, users []string) error {
	args := slices.Concat(n.java[1:], []string{"kafka.tools.StorageTool", "format", "-t", cluster, "-c", n.settings()}, users)
	cmd := exec.CommandContext(ctx, n.java[0], args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
		return fmt.Errorf("format the storage of node %d: %w: %s", n.id, err, lines[len(lines)-1])
	}
	return nil
}

// command runs the node in the foreground.
func (n *node) command() *exec.Cmd {
	return exec.Command(n.java[0], slices.Concat(n.java[1:], []string{"kafka.Kafka", n.settings()})...) //nolint:noctx // it outlives the context of its start
}

// start starts the process; what it prints is appended to the log.
func (n *node) start() error {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := n.command()
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = log, log, attributes()
	started := make(chan error)
	exited := make(chan struct{})
	go func() {
		// The process ends with the thread that has started it, where it can: keep the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer log.Close()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the log tells more
			close(exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start node %d: %w", n.id, err)
	}
	n.process, n.exited = cmd.Process, exited
	return nil
}

// terminate asks a running node to end.
func (n *node) terminate() {
	if n.runs() {
		_ = n.process.Signal(syscall.SIGTERM) // it may have ended since
	}
}

// kill ends a running node at once.
func (n *node) kill() {
	if n.runs() {
		_ = n.process.Kill() // it may have ended since
		<-n.exited
	}
	n.process = nil
}

func (n *node) runs() bool {
	if n.process == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// failure tells why a node has ended, in the last words of its log.
func (n *node) failure() error {
	text, err := os.ReadFile(n.log())
	if err != nil {
		return err
	}
	return fmt.Errorf("node %d ended: %s", n.id, text[max(0, len(text)-2000):])
}
