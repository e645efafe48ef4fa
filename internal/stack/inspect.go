package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// PortHolder returns the process that listens on a TCP port of this machine; zero
// values when there is none, or it can't be told.
func PortHolder(port int) (pid int, program string) { return portHolder(port) }

// OpenPort tells whether somebody listens on the port on all interfaces; false also
// where that can't be told.
func OpenPort(port int) bool { return openPort(port) }

// ProcessEnv is a variable of a process's environment as it was started; false when
// it isn't set, or can't be read.
func ProcessEnv(pid int, name string) (string, bool) {
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return "", false
	}
	for entry := range strings.SplitSeq(string(environ), "\x00") {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// LookPath finds a program on PATH.
func LookPath(name string) (string, error) { return exec.LookPath(name) }

// DaprdVersion asks a sidecar binary for its version, such as 1.18.3.
func DaprdVersion(ctx context.Context, path string) (string, error) {
	return versionOf(ctx, path, `\d+\.\d+\.\d+\S*|edge`)
}

// DaprCLIVersion asks the Dapr CLI for its own version, not for the runtime's, which
// stands on the next line.
func DaprCLIVersion(ctx context.Context, path string) (string, error) {
	version, err := versionOf(ctx, path, `CLI version: *(\d+\.\d+\.\d+\S*|edge)`)
	return strings.TrimSpace(strings.TrimPrefix(version, "CLI version:")), err
}

func versionOf(ctx context.Context, path, pattern string) (string, error) {
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", path, err)
	}
	version := regexp.MustCompile(pattern).FindString(string(out))
	if version == "" {
		return "", fmt.Errorf("%s --version doesn't tell a version", path)
	}
	return version, nil
}

// A PortRange is a range of TCP ports, both ends included.
type PortRange struct{ First, Last int }

// ReservedPorts are the ranges that Windows gives to nobody, as its program netsh
// tells: lines with the first and the last port.
func ReservedPorts(ctx context.Context, netsh string) ([]PortRange, error) {
	cmd := exec.CommandContext(ctx, netsh, "interface", "ipv4", "show", "excludedportrange", "protocol=tcp")
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("netsh: %w", err)
	}
	var list []PortRange
	for line := range strings.Lines(string(out)) {
		var r PortRange
		if n, _ := fmt.Sscan(line, &r.First, &r.Last); n == 2 {
			list = append(list, r)
		}
	}
	return list, nil
}

// A Leftover is a sidecar of an earlier run whose todoctl is gone.
type Leftover struct {
	PID   int
	AppID string
	path  string
	pidRecord
}

// FindLeftovers returns the sidecars that earlier runs have left behind, as the
// records in a sidecar's folder tell. Each is provably one of them: the pid, the
// start time and the command line are the recorded ones, and its parent is gone.
func FindLeftovers(dir string) []Leftover {
	paths, err := filepath.Glob(filepath.Join(dir, "*.pid"))
	if err != nil {
		return nil
	}
	var list []Leftover
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if r, ok := parseRecord(text); ok && r.running() && r.ours() && !r.parentRuns() {
			list = append(list, Leftover{PID: r.PID, AppID: r.AppID, path: path, pidRecord: r})
		}
	}
	return list
}

func (r pidRecord) parentRuns() bool {
	started, err := processStart(r.ParentPID)
	return err == nil && started == r.ParentStart
}

// End ends it and waits until it is gone. What is no longer the recorded process is
// left alone.
func (l Leftover) End() error {
	if l.running() && l.ours() {
		if err := killLeftover(l.PID); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("end sidecar %d: %w", l.PID, err)
		}
	}
	if err := l.waitGone(callTimeout); err != nil {
		return err
	}
	_ = os.Remove(l.path)
	return nil
}
