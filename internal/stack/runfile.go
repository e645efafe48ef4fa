package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The outcomes of ReadRun that callers tell apart.
var (
	ErrNotRunning = errors.New("no stack is running here")
	ErrStaleRun   = errors.New("the stack that ran here has died")
)

// A Run tells of a running stack: the content of run.json in its data folder, a
// documented contract.
type Run struct {
	Kind         string    `json:"kind"`    // "run"
	Version      int       `json:"version"` // 1
	PID          int       `json:"pid"`
	ProcessStart string    `json:"process_start"` // tells a reused pid; opaque
	StartedAt    time.Time `json:"started_at"`

	APIAddr      string   `json:"api_addr"` // HOST:PORT, as everywhere here
	Brokers      []string `json:"brokers"`
	DaprHTTPPort int      `json:"dapr_http_port"`
	DaprGRPCPort int      `json:"dapr_grpc_port"`
	SidecarPID   int      `json:"sidecar_pid"` // at the start; APP-ID.pid follows restarts
	Pubsub       string   `json:"pubsub"`
	Profile      string   `json:"pubsub_profile"` // kafka, redis, rabbitmq or in-memory

	// Of the reminder worker; empty where none runs.
	WorkerAddr         string `json:"worker_addr,omitempty"`
	WorkerDaprHTTPPort int    `json:"worker_dapr_http_port,omitempty"`
	WorkerDaprGRPCPort int    `json:"worker_dapr_grpc_port,omitempty"`
	WorkerSidecarPID   int    `json:"worker_sidecar_pid,omitempty"`

	Database string `json:"database"` // a path or URL, without any password
	DataDir  string `json:"data_dir"` // absolute
}

func runPath(dir string) string { return filepath.Join(dir, "run.json") }

// WriteRun writes run.json, readable by its owner only, for this process; the
// fields that say which process and which format are filled in.
func WriteRun(dir string, r Run) error {
	start, err := processStart(os.Getpid())
	if err != nil {
		return fmt.Errorf("write run file: %w", err)
	}
	r.Kind, r.Version, r.PID, r.ProcessStart = "run", 1, os.Getpid(), start
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write run file: %w", err)
	}
	if err := writeFile(runPath(dir), append(text, '\n')); err != nil {
		return fmt.Errorf("write run file: %w", err)
	}
	return nil
}

// ReadRun reads run.json of a data folder. Without one the error is ErrNotRunning;
// when its process is gone, or the pid belongs to another program by now, it is
// ErrStaleRun, and the Run is returned all the same.
func ReadRun(dir string) (Run, error) {
	var r Run
	text, err := os.ReadFile(runPath(dir))
	if errors.Is(err, os.ErrNotExist) {
		return r, ErrNotRunning
	}
	if err != nil {
		return r, fmt.Errorf("read run file: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read run file %s: %w", runPath(dir), err)
	}
	if r.Kind != "run" || r.Version != 1 {
		return r, fmt.Errorf("run file %s is of kind %q, version %d: another version of todoctl wrote it", runPath(dir), r.Kind, r.Version)
	}
	if start, err := processStart(r.PID); err != nil || start != r.ProcessStart {
		return r, ErrStaleRun
	}
	return r, nil
}

// RemoveRun removes run.json; none is no error.
func RemoveRun(dir string) error {
	if err := os.Remove(runPath(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove run file: %w", err)
	}
	return nil
}
