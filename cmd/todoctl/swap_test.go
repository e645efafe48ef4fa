//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/rabbitserver"
	"github.com/todoctl/todoctl/test/redisserver"
)

// A swapBroker is a real broker in place of Kafka.
type swapBroker interface {
	Addr() string
	Start(context.Context) error
	Kill()
	Remove() error
}

// What docs/brokers.md says of Redis and RabbitMQ: the whole stack on one, which is killed
// and started again in the middle.
func TestSwap(t *testing.T) {
	for _, test := range []struct {
		profile string
		open    func(context.Context) (swapBroker, error)
		missing error
		ordered bool // also through the outage
	}{
		{"redis", func(ctx context.Context) (swapBroker, error) { return redisserver.New(ctx) }, redisserver.ErrMissing, false},
		{"rabbitmq", func(ctx context.Context) (swapBroker, error) { return rabbitserver.New(ctx) }, rabbitserver.ErrMissing, true},
	} {
		t.Run(test.profile, func(t *testing.T) {
			broker, err := test.open(t.Context())
			if errors.Is(err, test.missing) {
				missing(t, err.Error())
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { broker.Kill(); _ = broker.Remove() })
			start(t, broker)
			s := startSwap(t, test.profile, broker.Addr())

			if node, ok := broker.(*rabbitserver.Server); ok { // the worker's queue is declared last
				s.await(t, "the queues on disk", func() bool { return node.Keeps("todo-reminder-worker-reminders") })
			}
			calm := s.work(t, 8, func(int) {})
			s.await(t, "the events of the calm", func() bool { return len(s.seen.lacks(calm)) == 0 })
			s.seen.inOrder(t, calm)

			rough := s.work(t, 24, func(n int) {
				switch n {
				case 22:
					broker.Kill()
				case 72:
					start(t, broker)
				}
			})
			s.poison(t)
			s.await(t, "the events of the outage", func() bool { return len(s.seen.lacks(rough)) == 0 })
			if test.ordered {
				s.seen.inOrder(t, rough)
			}
			all := slices.Concat(calm, rough)
			pairs := len(all) / 4
			s.await(t, "next tasks", func() bool { return s.seen.others(all) >= pairs })
			s.await(t, "reminders", func() bool { return len(s.notified(t)) >= pairs })
			s.await(t, "the dead letter", func() bool { return strings.Contains(s.seen.letter("poison"), `"dlqreason":"invalid"`) })
			s.seen.once(t, all, pairs)
			for task, n := range s.notified(t) {
				if n != 1 {
					t.Errorf("task %d: its user was told %d times", task, n)
				}
			}
			t.Logf("%d changes, %d deliveries", len(all), s.seen.deliveries())
		})
	}
}

func start(t *testing.T, b swapBroker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.Start(ctx); err != nil {
		t.Fatal(err)
	}
}

// A swap is a running `todoctl dev` on another broker, and a subscriber beside it.
type swap struct {
	dir, api string
	environ  []string
	seen     *observer
}

func startSwap(t *testing.T, profile, addr string) *swap {
	t.Helper()
	s := &swap{dir: t.TempDir(), environ: append(os.Environ(), "REDIS_HOST="+addr, "RABBITMQ_URL=amqp://guest:guest@"+addr+"/", "TODOCTL_DAPRD="+findDaprd(t), "TODOCTL_PUBSUB_PROFILE="+profile)}
	s.seen = observe(t, profile, addr, s.environ)
	if err := freePorts(filepath.Join(s.dir, "todoctl.yaml")); err != nil {
		t.Fatal(err)
	}
	cmd := s.command("dev", "--ready-file", "ready")
	out, err := os.Create(filepath.Join(s.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = out, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT)
		if err := cmd.Wait(); err != nil || t.Failed() {
			t.Errorf("dev ended with %v:\n%s", err, log.String())
		}
	})
	s.await(t, "dev", func() bool { _, err := os.Stat(filepath.Join(s.dir, "ready")); return err == nil })
	var run struct {
		API string `json:"api_addr"`
	}
	text, err := os.ReadFile(filepath.Join(s.dir, "ready"))
	if err == nil {
		err = json.Unmarshal(text, &run)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.api = "http://" + run.API
	return s
}

func (s *swap) command(argv ...string) *exec.Cmd {
	cmd := exec.Command("todoctl", argv...)
	cmd.Dir, cmd.Env = s.dir, s.environ
	return cmd
}

// await waits for a condition. An event that Redis gave to a consumer when it died comes
// again after 35 s.
func (s *swap) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(2 * patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("waited %s for %s", 2*patience, what)
		}
	}
}

// A change is one that the API has answered with 2xx.
type change struct{ task, sequence int64 }

// work makes tasks and changes them: of each pair the one falls due, and the other is
// completed, which makes the next one of its series. tell is told how many changes were
// accepted.
func (s *swap) work(t *testing.T, tasks int, tell func(accepted int)) []change {
	t.Helper()
	var done []change
	for range tasks {
		at := time.Now().Add(300 * time.Millisecond).UTC().Format(time.RFC3339Nano)
		id := s.accept(t, &done, http.MethodPost, "/api/u1/tasks", fmt.Sprintf(`{"title":"reminded","remind_at":%q}`, at))
		series := s.accept(t, &done, http.MethodPost, "/api/u1/tasks", `{"title":"series","due_date":"2027-01-01T09:00:00Z","recurrence":"daily"}`)
		tell(len(done))
		s.accept(t, &done, http.MethodPut, fmt.Sprintf("/api/u1/tasks/%d", id), `{"title":"renamed"}`)
		s.accept(t, &done, http.MethodPut, fmt.Sprintf("/api/u1/tasks/%d", series), `{"completed":true}`)
		tell(len(done))
	}
	return done
}

func (s *swap) accept(t *testing.T, done *[]change, method, path, body string) (id int64) {
	t.Helper()
	req, err := http.NewRequest(method, s.api+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	var answer struct {
		ID int64 `json:"id"`
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	sequence, numberErr := strconv.ParseInt(strings.Trim(resp.Header.Get("ETag"), `"`), 10, 64)
	if err := errors.Join(err, numberErr); err != nil || resp.StatusCode >= http.StatusBadRequest {
		t.Fatalf("%s %s: %s %v: %s", method, path, resp.Status, err, text)
	}
	*done = append(*done, change{answer.ID, sequence})
	return answer.ID
}

// poison publishes an event that no worker can handle.
func (s *swap) poison(t *testing.T) {
	t.Helper()
	cmd := s.command("events", "publish", "reminders", "--no-validate", "-f", "-")
	cmd.Stdin = strings.NewReader(`{"specversion":"1.0","id":"poison","source":"s","type":"reminder.due","time":"2026-02-17T12:00:00Z","data":{"event_type":"reminder.due","data":{"task_id":"one"}}}` + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// notified is how often users were told of each task.
func (s *swap) notified(t *testing.T) map[int64]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	told := map[int64]int{}
	for line := range strings.Lines(string(text)) {
		var n struct {
			Data struct {
				Task int64 `json:"task_id"`
			} `json:"data"`
		}
		if json.Unmarshal([]byte(line), &n) == nil && n.Data.Task > 0 {
			told[n.Data.Task]++
		}
	}
	return told
}
