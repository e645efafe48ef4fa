package stack

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRunFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadRun(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("without a file: %v", err)
	}
	want := Run{
		StartedAt: time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC), APIAddr: "127.0.0.1:8001",
		Brokers: []string{"127.0.0.1:19092"}, DaprHTTPPort: 3500, DaprGRPCPort: 50001, SidecarPID: 42,
		Pubsub: "pubsub-kafka", Database: "tasks.db", DataDir: dir,
	}
	if err := WriteRun(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	want.Kind, want.Version, want.PID, want.ProcessStart = "run", 1, os.Getpid(), got.ProcessStart
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	info, err := os.Stat(runPath(dir))
	if err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("mode %v, %v: others may read it", info.Mode(), err)
	}
	for range 2 {
		if err := RemoveRun(dir); err != nil {
			t.Error(err)
		}
	}
}

func TestRunFileIsStale(t *testing.T) {
	dir := t.TempDir()
	cmd, _ := startChild(t, "wait", "")
	start, err := processStart(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	write := func(r Run) {
		r.Kind, r.Version = "run", 1
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		writeTestFile(t, runPath(dir), string(text), 0o600)
	}
	alive := Run{PID: cmd.Process.Pid, ProcessStart: start, APIAddr: "127.0.0.1:1"}
	write(alive)
	if _, err := ReadRun(dir); err != nil {
		t.Errorf("while the process lives: %v", err)
	}
	reused := alive
	reused.ProcessStart = start + "0"
	write(reused)
	if r, err := ReadRun(dir); !errors.Is(err, ErrStaleRun) || r.APIAddr != "127.0.0.1:1" {
		t.Errorf("with a reused pid: %v, %v", r, err)
	}
	write(alive)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the run is stale, the process being a zombie", func() bool {
		_, err := ReadRun(dir)
		return errors.Is(err, ErrStaleRun)
	})
}

func TestRunFileOfAnotherVersion(t *testing.T) {
	dir := t.TempDir()
	writeTestFile(t, runPath(dir), `{"kind":"run","version":2}`, 0o600)
	_, err := ReadRun(dir)
	wantError(t, err, "version 2", runPath(dir))
	writeTestFile(t, runPath(dir), `{"kind`, 0o600)
	_, err = ReadRun(dir)
	wantError(t, err, runPath(dir))
}
