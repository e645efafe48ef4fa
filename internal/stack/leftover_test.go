//go:build unix

package stack

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// deadProcess returns the pid of a process that has ended.
func deadProcess(t *testing.T) int {
	t.Helper()
	cmd, _ := startChild(t, "wait", "")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	return cmd.Process.Pid
}

func record(t *testing.T, opts SidecarOptions, r pidRecord) {
	t.Helper()
	r.AppID, r.ConfigPath = opts.AppID, opts.configPath()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	writeTestFile(t, opts.pidPath(), string(text), 0o600)
}

// orphan runs a daprd as a system without a parent-death signal leaves it behind:
// recorded, and its parent gone.
func orphan(t *testing.T, opts SidecarOptions) (pid int, ended <-chan error) {
	t.Helper()
	cmd := exec.Command(opts.Daprd, opts.args()...)
	cmd.Env = opts.environ()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	started, err := processStart(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	record(t, opts, pidRecord{PID: cmd.Process.Pid, Started: started, ParentPID: deadProcess(t), ParentStart: "1"})
	api := Endpoint{Addr: localAddr(opts.HTTPPort)}
	eventually(t, "the orphan is ready", func() bool { return api.Ready(t.Context()) == nil })
	return cmd.Process.Pid, done
}

func TestLeftoverIsEnded(t *testing.T) {
	var opts SidecarOptions
	fill(t, &opts)
	opts, err := opts.complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := opts.checkFiles(); err != nil {
		t.Fatal(err)
	}
	_, ended := orphan(t, opts)
	s, logs := start(t, opts) // on the same ports
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the orphan ended with %v", err)
	}
	if !strings.Contains(logs.String(), "ended a sidecar left over") {
		t.Errorf("it isn't logged:\n%s", logs)
	}
	if s.HTTPPort() != opts.HTTPPort {
		t.Errorf("port %d, want %d", s.HTTPPort(), opts.HTTPPort)
	}
}

func TestSecondSidecarInFolderIsRefused(t *testing.T) {
	s, _ := start(t, SidecarOptions{})
	opts := SidecarOptions{Dir: s.opts.Dir}
	fill(t, &opts)
	_, err := StartSidecar(t.Context(), opts)
	wantError(t, err, `a sidecar "todo-test" already runs in`, "another folder")
	if gone(s.PID()) {
		t.Error("the first one was ended")
	}
}

// A pid that belongs to another program by now is left alone.
func TestLeftoverOfAnotherProgram(t *testing.T) {
	other, _ := startChild(t, "wait", "")
	started, err := processStart(other.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	logs := new(logBuffer)
	opts := SidecarOptions{AppID: "todo-test", Dir: t.TempDir(), Log: logs.logger()}
	for _, r := range []pidRecord{
		{PID: other.Process.Pid, Started: started, ParentPID: deadProcess(t)},       // not a daprd of ours
		{PID: other.Process.Pid, Started: started + "0", ParentPID: deadProcess(t)}, // not even the same process
	} {
		record(t, opts, r)
		if err := endLeftover(opts); err != nil {
			t.Error(err)
		}
		if gone(other.Process.Pid) {
			t.Fatal("another program was ended")
		}
		if _, err := os.Stat(opts.pidPath()); err == nil {
			t.Error("the stale record is still there")
		}
	}
	writeTestFile(t, opts.pidPath(), "{", 0o600)
	if err := endLeftover(opts); err != nil {
		t.Errorf("a damaged record: %v", err)
	}
}
