//go:build unix

package faults

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A replica is one `todoctl serve` with its daprd.
type replica struct {
	*child
	api    string // HOST:PORT, the same after every start
	dir    string
	points string // file of its failpoints
	daprd  string // file of the pid of its daprd, below dir
}

// newReplica prepares a replica and starts it.
func newReplica(t *testing.T, s *stack, number int, o options) *replica {
	t.Helper()
	dir := filepath.Join(s.dir, fmt.Sprintf("serve%d", number))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	r := &replica{api: freeAddr(t), dir: dir, points: filepath.Join(dir, "points"), daprd: "sidecar/todo-backend.pid"}
	if err := r.arm(""); err != nil {
		t.Fatal(err)
	}
	url := s.db.url
	r.child = startChild(t, filepath.Base(dir), filepath.Join(dir, "log"), func() *exec.Cmd {
		cmd := exec.Command(s.programs.todoctl, append([]string{"serve", "--api-addr", r.api, "--database", url,
			"--brokers", s.brokers(), "--data-dir", dir, "--daprd", s.programs.daprd,
			"--dapr-http-port", "0", "--dapr-grpc-port", "0", "--log-level", "info",
			"--ready-file", r.readyFile()}, o.args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "HOME="+dir, "TODOCTL_MUTATION="+o.mutation,
			"TODOCTL_FAILPOINT=@"+r.points, fmt.Sprintf("TODOCTL_FAILPOINT_SEED=%d", s.seed))
		return cmd
	})
	return r
}

func (r *replica) readyFile() string { return filepath.Join(r.dir, "ready") }

// arm sets the failpoints, "" for none.
func (r *replica) arm(terms string) error {
	if err := os.WriteFile(r.points+".new", []byte(terms), 0o600); err != nil {
		return err
	}
	return os.Rename(r.points+".new", r.points) // as a whole: it is read at any moment
}

// fired counts what the failpoints have done so far.
func (r *replica) fired() int {
	log, err := os.ReadFile(r.points + ".log")
	if err != nil {
		return 0 // nothing yet
	}
	return strings.Count(string(log), "\n")
}

// sidecar signals the daprd of the replica that runs now.
func (r *replica) sidecar(sig syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(r.dir, r.daprd))
	if err != nil {
		return fmt.Errorf("%s has no daprd: %w", r.name, err)
	}
	var record struct {
		PID       int `json:"pid"`
		ParentPID int `json:"parent_pid"`
	}
	if err := json.Unmarshal(text, &record); err != nil {
		return fmt.Errorf("%s has no daprd: %w", r.name, err)
	}
	if record.PID <= 0 || record.ParentPID != r.pid() {
		return fmt.Errorf("%s has no daprd now", r.name)
	}
	return syscall.Kill(record.PID, sig)
}

// leads asks whether the replica's relay is the leader.
func (r *replica) leads(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	resp, err := get(ctx, "http://"+r.api+"/metrics")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if lines.Text() == "todo_relay_leader 1" {
			return true
		}
	}
	return false
}

// ready asks whether the replica takes requests.
func (r *replica) ready(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	resp, err := get(ctx, "http://"+r.api+"/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	return http.DefaultClient.Do(request)
}

// tail is the end of a replica's log, for a campaign that failed.
func (r *replica) tail() string {
	log, err := os.ReadFile(filepath.Join(r.dir, "log"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	const most = 2000
	if len(log) > most {
		log = log[len(log)-most:]
	}
	return string(log)
}
