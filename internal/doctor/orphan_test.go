//go:build linux

package doctor

import (
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/todoctl/todoctl/internal/stack"
)

// left runs a real daprd in the data folder as a run that was killed leaves it behind:
// its record names a parent that is gone.
func left(t *testing.T, o Options) *stack.Sidecar {
	t.Helper()
	dir := filepath.Join(o.DataDir, "sidecar")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := stack.StartSidecar(t.Context(), stack.SidecarOptions{
		Daprd: daprd(t), AppID: "todo-backend", Dir: dir, ResourcesPath: []string{folder(t, one(comp("s", "state.in-memory")))},
		Env: os.Environ(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "todo-backend.pid")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	record["parent_pid"], record["parent_started"] = gone.Process.Pid, "1"
	if text, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOrphans(t *testing.T) {
	t.Run("25 a sidecar of an earlier run", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		s := left(t, o)
		o.Publishes, o.DaprHTTP.Value = false, strconv.Itoa(s.HTTPPort())
		r := examine(t, o)
		expect(t, r, "environment.orphans")
		fix := r.Fixable()[0].Fix
		if !strings.Contains(fix.Diff(), strconv.Itoa(s.PID())) {
			t.Errorf("diff %q", fix.Diff())
		}
		pid := s.PID()
		if err := fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if now, _ := stack.PortHolder(s.HTTPPort()); now == pid {
			t.Errorf("process %d still holds the port", pid)
		}
	})
	t.Run("25 a sidecar that is no orphan is left alone", func(t *testing.T) {
		o, s := sidecar(t, one(kafkaFile("authType", "none")), 0)
		o.DataDir = t.TempDir() // it has no record there
		r := examine(t, o)
		expect(t, r)
		if _, err := s.Metadata(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
