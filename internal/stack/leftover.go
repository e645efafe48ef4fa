package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// pidRecord tells of a sidecar that was started in a folder.
type pidRecord struct {
	PID         int    `json:"pid"`
	Started     string `json:"started"` // see processStart
	ParentPID   int    `json:"parent_pid"`
	ParentStart string `json:"parent_started"`
	AppID       string `json:"app_id"`
	ConfigPath  string `json:"config"` // a path that only this folder's sidecar is given
}

func (o SidecarOptions) pidPath() string { return filepath.Join(o.Dir, o.AppID+".pid") }

func (o SidecarOptions) recordPID(pid int) error {
	started, err := processStart(pid)
	if errors.Is(err, os.ErrProcessDone) {
		return nil // waitReady tells why
	}
	if err != nil {
		return err
	}
	parent, err := processStart(os.Getpid())
	if err != nil {
		return err
	}
	record, err := json.Marshal(pidRecord{
		PID: pid, Started: started, ParentPID: os.Getpid(), ParentStart: parent,
		AppID: o.AppID, ConfigPath: o.configPath(),
	})
	if err != nil {
		return err
	}
	return writeFile(o.pidPath(), record)
}

func (o SidecarOptions) forgetPID() { _ = os.Remove(o.pidPath()) }

// endLeftover ends the sidecar of an earlier run in the same folder whose parent
// was killed, where the system doesn't do that by itself. It touches a process
// only when that is provably ours: the pid, the start time and the command line
// must all be the recorded ones. It is an error when the parent is still there.
func endLeftover(o SidecarOptions) error {
	text, err := os.ReadFile(o.pidPath())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	r, ok := parseRecord(text)
	if !ok || !r.running() || !r.ours() {
		o.forgetPID()
		return nil
	}
	if r.parentRuns() {
		return fmt.Errorf("a sidecar %q already runs in %s, under pid %d: stop that, or use another folder", r.AppID, o.Dir, r.ParentPID)
	}
	if err := killLeftover(r.PID); err != nil {
		return fmt.Errorf("end the sidecar left over from an earlier run (pid %d): %w", r.PID, err)
	}
	o.Log.Warn("ended a sidecar left over from an earlier run", "pid", r.PID)
	if err := r.waitGone(callTimeout); err != nil {
		return err
	}
	o.forgetPID()
	return nil
}

func parseRecord(text []byte) (r pidRecord, ok bool) {
	err := json.Unmarshal(text, &r)
	return r, err == nil
}

// running reports whether the recorded process is still there.
func (r pidRecord) running() bool {
	started, err := processStart(r.PID)
	return err == nil && started == r.Started
}

// ours reports whether that process is a sidecar of this folder.
func (r pidRecord) ours() bool {
	args, err := processArgs(r.PID)
	return err == nil && strings.Contains(args, "--app-id "+r.AppID+" ") && strings.Contains(args, listed(r.ConfigPath))
}

func (r pidRecord) waitGone(wait time.Duration) error {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	// running alone: an ending process loses its command line before its ports.
	for r.running() {
		select {
		case <-timeout.C:
			return fmt.Errorf("the sidecar left over from an earlier run (pid %d) doesn't end", r.PID)
		case <-tick.C:
		}
	}
	return nil
}
