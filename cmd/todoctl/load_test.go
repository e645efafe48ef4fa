//go:build unix

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/stack"
)

const (
	loadTasks   = 1000
	loadClients = 16
)

// A thousand tasks from sixteen clients at once, each completed once it is there:
// kcat, which shares no code with us, finds two events a task, in order, each with
// an id of its own and the task's id as key.
func TestThousandTasksFromSixteenClients(t *testing.T) {
	needKcat(t)
	run := startDev(t)
	api := "http://" + run.APIAddr
	ids := make(chan int64, loadTasks)
	var clients sync.WaitGroup
	var begun atomic.Int64
	for range loadClients {
		clients.Go(func() {
			for begun.Add(1) <= loadTasks {
				id, err := postTask(api)
				if err != nil {
					t.Error(err)
					return
				}
				ids <- id
			}
		})
	}
	clients.Wait()
	close(ids)
	posted := make(map[string]bool)
	for id := range ids {
		posted[fmt.Sprint(id)] = true
	}
	if len(posted) != loadTasks {
		t.Fatalf("%d tasks accepted, want %d", len(posted), loadTasks)
	}
	checkEvents(t, readEvents(t, run.Brokers[0], 2*len(posted)), posted)
}

// startDev runs `todoctl dev` until the test ends.
func startDev(t *testing.T) stack.Run {
	t.Helper()
	dir := t.TempDir()
	if err := freePorts(filepath.Join(dir, "todoctl.yaml")); err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(dir, "ready")
	var out bytes.Buffer
	cmd := exec.Command("todoctl", "dev", "--ready-file", ready, "--log-level", "warn")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = append(os.Environ(), "TODOCTL_DAPRD="+findDaprd(t), "HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended: the next line tells
		if err := <-ended; err != nil {
			t.Errorf("dev: %v\n%s", err, &out)
		}
	})
	var run stack.Run
	for {
		select {
		case err := <-ended:
			ended <- err
			t.Fatal("dev ended before it was ready")
		case <-time.After(20 * time.Millisecond):
		}
		if text, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(text, &run); err != nil {
				t.Fatal(err)
			}
			return run
		}
	}
}

// postTask creates a task, completes it and returns its id.
func postTask(api string) (int64, error) {
	resp, err := http.Post(api+"/api/u1/tasks", "application/json", strings.NewReader(`{"title":"Buy groceries"}`))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var made struct {
		ID int64 `json:"id"`
	}
	if resp.StatusCode != http.StatusCreated {
		return 0, fmt.Errorf("create: %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil {
		return 0, fmt.Errorf("create: %w", err)
	}
	done, err := http.Post(fmt.Sprintf("%s/api/u1/tasks/%d/complete", api, made.ID), "", nil)
	if err != nil {
		return 0, err
	}
	defer done.Body.Close()
	if done.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("complete task %d: %s", made.ID, done.Status)
	}
	return made.ID, nil
}

// A kcatEvent is one line of kcat's.
type kcatEvent struct {
	partition, key string
	event          struct {
		ID       string `json:"id"`
		Sequence string `json:"sequence"`
		Subject  string `json:"subject"`
	}
}

// readEvents waits until kcat finds as many records as are wanted.
func readEvents(t *testing.T, broker string, want int) []kcatEvent {
	t.Helper()
	for {
		// Partition by partition and offset by offset: kcat keeps that order.
		out, err := exec.CommandContext(t.Context(), "kcat", "-q", "-b", broker, "-C", "-t", "task-events", "-e", "-f", `%p %k %s\n`).Output()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(out, []byte("\n")) >= want {
			return parseEvents(t, out)
		}
	}
}

func parseEvents(t *testing.T, out []byte) []kcatEvent {
	t.Helper()
	var events []kcatEvent
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var e kcatEvent
		words := strings.SplitN(lines.Text(), " ", 3)
		e.partition, e.key = words[0], words[1]
		if err := json.Unmarshal([]byte(words[2]), &e.event); err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func checkEvents(t *testing.T, events []kcatEvent, posted map[string]bool) {
	t.Helper()
	if len(events) != 2*len(posted) {
		t.Errorf("%d events, want %d", len(events), 2*len(posted))
	}
	ids := make(map[string]bool)
	sequences := make(map[string]string) // by task
	for _, e := range events {
		ids[e.event.ID] = true
		if !posted[e.key] || e.event.Subject != "tasks/"+e.key {
			t.Errorf("event %s of %s has the key %q", e.event.ID, e.event.Subject, e.key)
		}
		sequences[e.key+" on partition "+e.partition] += e.event.Sequence
	}
	if len(ids) != len(events) {
		t.Errorf("%d distinct ids in %d events", len(ids), len(events))
	}
	for task, sequence := range sequences {
		if sequence != "12" {
			t.Errorf("events of task %s came in the order %q, want 12", task, sequence)
		}
	}
}
