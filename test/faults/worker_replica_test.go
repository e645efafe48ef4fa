//go:build unix

package faults

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// workerGroup is the consumer group of the workers: their app id.
const workerGroup = "todo-reminder-worker"

// A notifier is one `todoctl worker` with its daprd. The lines of its log channel go to
// a file of each run.
type notifier struct {
	*replica

	mu   sync.Mutex
	runs []*run
}

// A run is one process of a notifier.
type run struct {
	name string
	file *os.File
	cuts []int // see checker.Run
}

// newNotifier prepares a worker that tells by log lines and to a webhook, and starts it.
func newNotifier(t *testing.T, s *stack, number int, hook string) *notifier {
	t.Helper()
	name := fmt.Sprintf("worker%d", number)
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf(`channels:
  log: {type: log}
  hook: {type: webhook, url: "http://%s/", allow_http: true, allow_networks: [127.0.0.0/8], secret_env: HOOK, timeout: 3s}
default: {channels: [log, hook]}
`, hook)
	config := filepath.Join(dir, "notify.yaml")
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &notifier{replica: &replica{api: freeAddr(t), dir: dir, daprd: "worker-sidecar/" + workerGroup + ".pid"}}
	t.Cleanup(n.closeRuns) // after the child's own end, which was registered later
	n.child = startChild(t, name, filepath.Join(dir, "log"), func() *exec.Cmd {
		cmd := exec.Command(s.programs.todoctl, "worker", "--worker-addr", n.api, "--database", s.db.url,
			"--brokers", s.kafka.addr(), "--data-dir", dir, "--daprd", s.programs.daprd, "--notify-config", config,
			"--worker-dapr-http-port", "0", "--worker-dapr-grpc-port", "0", "--log-level", "info")
		cmd.Dir, cmd.Stdout = dir, n.nextRun(t)
		cmd.Env = append(os.Environ(), "HOME="+dir, "HOOK=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
		return cmd
	})
	return n
}

// nextRun makes the file of the next process.
func (n *notifier) nextRun(t *testing.T) *os.File {
	n.mu.Lock()
	defer n.mu.Unlock()
	name := fmt.Sprintf("%s run %d", filepath.Base(n.dir), len(n.runs)+1)
	file, err := os.Create(filepath.Join(n.dir, fmt.Sprintf("lines%d", len(n.runs)+1)))
	if err != nil {
		t.Error(err)
		return nil
	}
	n.runs = append(n.runs, &run{name: name, file: file})
	return file
}

func (n *notifier) closeRuns() {
	for _, r := range n.runs {
		r.file.Close()
	}
}

// read is what the runs have written so far.
func (n *notifier) read() ([]checker.Run, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []checker.Run
	for _, r := range n.runs {
		lines, err := checker.ReadLog(r.file.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, checker.Run{Name: r.name, Lines: lines, Cuts: r.cuts})
	}
	return all, nil
}

// cutOff kills or stops the process that runs now, in whatever it does, and notes where
// its log was then.
func (n *notifier) cutOff(ctx context.Context, sig syscall.Signal) (string, error) {
	n.mu.Lock()
	at := n.runs[len(n.runs)-1]
	n.mu.Unlock()
	pid := n.pid()
	note := n.strike(sig)
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	poll(ctx, func() bool { return n.pid() != pid })
	lines, err := checker.ReadLog(at.file.Name())
	n.mu.Lock()
	defer n.mu.Unlock()
	at.cuts = append(at.cuts, len(lines))
	return note, err
}

// settling is more than a signal takes to arrive.
const settling = 200 * time.Millisecond

// lineCounts are how many lines each run of some notifiers has, by its name.
func lineCounts(all []*notifier) (map[string]int, error) {
	counts := map[string]int{}
	for _, n := range all {
		runs, err := n.read()
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			counts[r.Name] = len(r.Lines)
		}
	}
	return counts, nil
}
