package stack

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestMain lets this binary stand in for a todoctl that is killed: with STACK_CHILD
// set it runs one part, prints a line of JSON, and waits.
func TestMain(m *testing.M) {
	if part := os.Getenv("STACK_CHILD"); part != "" {
		if err := runChild(part, os.Getenv("STACK_DIR")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type childState struct {
	PID  int    // of the sidecar
	Addr string // of the broker
}

func runChild(part, dir string) error {
	ctx := context.Background()
	log := slog.New(slog.DiscardHandler)
	var state childState
	switch part {
	case "sidecar":
		s, err := StartSidecar(ctx, SidecarOptions{
			Daprd: os.Getenv("STACK_DAPRD"), AppID: "todo-child", Dir: dir, Log: log, Env: os.Environ(),
		})
		if err != nil {
			return err
		}
		state.PID = s.PID()
	case "broker":
		ln, _, err := Listen(ctx, "127.0.0.1:0", false)
		if err != nil {
			return err
		}
		b, err := StartBroker(ctx, BrokerOptions{Listener: ln, DataDir: dir, Log: log})
		if err != nil {
			return err
		}
		state.Addr = b.Addr()
	}
	if err := json.NewEncoder(os.Stdout).Encode(state); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, os.Stdin) //nolint:forbidigo // its own: until killed, or the test is gone
	return err
}

// startChild runs a part in a process of its own, until the test ends.
func startChild(t *testing.T, part, dir string) (*exec.Cmd, childState) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "STACK_CHILD="+part, "STACK_DIR="+dir)
	if part == "sidecar" {
		cmd.Env = append(cmd.Env, "STACK_DAPRD="+daprd(t))
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var state childState
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatalf("child %s: %v", part, err)
	}
	if err := json.Unmarshal(line, &state); err != nil {
		t.Fatal(err)
	}
	return cmd, state
}

// daprd returns a real sidecar binary; without one the test is skipped.
func daprd(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TODOCTL_DAPRD")
	if path == "" {
		path = filepath.Join("..", "..", "bin", daprdName())
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := executable(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no daprd: %v", err)
		}
		t.Skipf("no daprd (make daprd, or TODOCTL_DAPRD): %v", err)
	}
	return path
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		case <-tick.C:
		}
	}
}

func gone(pid int) bool {
	_, err := processStart(pid)
	return err != nil
}

// A logBuffer keeps what is logged, as text.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *logBuffer) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// squat listens on a free loopback port until the test ends.
func squat(t *testing.T) (port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

func writeTestFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func readTestFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantError checks that err tells all of the parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q lacks %q", err, part)
		}
	}
}
