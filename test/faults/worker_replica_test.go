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
	file *os.File // its lines
	log  *os.File // what it says of itself
	cuts []checker.Cut
}

// newNotifier prepares a worker that tells by log lines and to a webhook, and starts it.
func newNotifier(t *testing.T, s *stack, number int, hook, mutation string) *notifier {
	t.Helper()
	name := fmt.Sprintf("worker%d", number)
	dir := filepath.Join(s.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	settings := fmt.Sprintf(`channels:
  log: {type: log, timeout: 1s}
  hook: {type: webhook, url: "http://%s/", allow_http: true, allow_networks: [127.0.0.0/8], secret_env: HOOK, timeout: 2s}
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
			"--worker-dapr-http-port", "0", "--worker-dapr-grpc-port", "0", "--log-level", "info",
			"--attempts", "4", "--retry-min", "250ms", "--retry-max", "2s") // so that some are out of attempts
		cmd.Dir = dir
		if r := n.nextRun(t); r != nil {
			cmd.Stdout, cmd.Stderr = r.file, r.log
		}
		cmd.Env = append(os.Environ(), "HOME="+dir, "TODOCTL_MUTATION="+mutation, "HOOK=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
		return cmd
	})
	return n
}

// nextRun makes the files of the next process.
func (n *notifier) nextRun(t *testing.T) *run {
	n.mu.Lock()
	defer n.mu.Unlock()
	number := len(n.runs) + 1
	r := &run{name: fmt.Sprintf("%s run %d", filepath.Base(n.dir), number)}
	var err error
	if r.file, err = os.Create(filepath.Join(n.dir, fmt.Sprintf("lines%d", number))); err == nil {
		r.log, err = os.Create(filepath.Join(n.dir, fmt.Sprintf("log%d", number)))
	}
	if err != nil {
		t.Error(err)
		return nil
	}
	n.runs = append(n.runs, r)
	return r
}

func (n *notifier) closeRuns() {
	for _, r := range n.runs {
		r.file.Close()
		r.log.Close()
	}
}

// cut is where a run is: its lines, and those of them that it hasn't noted.
func (r *run) cut(killed bool) (checker.Cut, error) {
	noted, _, err := checker.ReadNoted(r.log.Name()) // first: what is noted has its line
	if err != nil {
		return checker.Cut{}, err
	}
	lines, err := checker.ReadLog(r.file.Name())
	c := checker.Cut{At: len(lines), Killed: killed, Open: map[string]bool{}}
	for _, line := range lines {
		if !noted[line.ID] {
			c.Open[line.ID] = true
		}
	}
	return c, err
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
		noted, buried, err := checker.ReadNoted(r.log.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, checker.Run{Name: r.name, Lines: lines, Noted: noted, Buried: buried, Cuts: r.cuts})
	}
	return all, nil
}

// cutOff kills or stops the process that runs now, in whatever it does, and notes what
// it had sent and not noted then.
func (n *notifier) cutOff(ctx context.Context, sig syscall.Signal) (string, error) {
	n.mu.Lock()
	at := n.runs[len(n.runs)-1]
	n.mu.Unlock()
	pid := n.pid()
	note := n.strike(sig)
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	poll(ctx, func() bool { return n.pid() != pid })
	cut, err := at.cut(sig == syscall.SIGKILL)
	n.mu.Lock()
	defer n.mu.Unlock()
	at.cuts = append(at.cuts, cut)
	return fmt.Sprintf("%s, %d lines sent and not noted", note, len(cut.Open)), err
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
