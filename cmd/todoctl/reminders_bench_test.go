//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/stack"
)

var (
	dueReminders = flag.Int("reminders", 100_000, "reminders of BenchmarkRemindersDueAtOnce")
)

// Reminders that fall due at once, in `todoctl dev` as it comes: how long until all are
// told on the log channel, and how long a create takes meanwhile, 50 a second.
func BenchmarkRemindersDueAtOnce(b *testing.B) {
	if b.N != 1 {
		b.Fatal("give -benchtime 1x")
	}
	n := *dueReminders
	run, told := benchDev(b)
	api := "http://" + run.APIAddr
	begin := time.Now()
	at := begin.Add(20*time.Second + time.Duration(n)*2*time.Millisecond)
	setReminders(b, api, n, at)
	if late := time.Since(at); late > -10*time.Second {
		b.Fatalf("the reminders were set in %s, too late", time.Since(begin))
	}
	quiet := createsUntil(b, api, func() bool { return time.Now().After(at.Add(-time.Second)) })
	<-time.After(time.Until(at))
	last := told(0)
	busy := createsUntil(b, api, func() bool { last = told(n); return !last.IsZero() || time.Since(at) > 10*time.Minute })
	b.ReportMetric(last.Sub(at).Seconds(), "s-until-all-told")
	b.ReportMetric(percentile(quiet, .99), "ms-p99-before")
	b.ReportMetric(percentile(busy, .99), "ms-p99-meanwhile")
	b.ReportMetric(percentile(quiet, .5), "ms-p50-before")
	b.ReportMetric(percentile(busy, .5), "ms-p50-meanwhile")
}

// benchDev runs `todoctl dev`; told returns when the nth notification came, zero before.
func benchDev(b *testing.B) (run stack.Run, told func(n int) time.Time) {
	b.Helper()
	daprd, err := filepath.Abs("../../bin/daprd")
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	if err := freePorts(filepath.Join(dir, "todoctl.yaml")); err != nil {
		b.Fatal(err)
	}
	ready := filepath.Join(dir, "ready")
	cmd := exec.Command("todoctl", "dev", "--ready-file", ready, "--log-level", "warn")
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "TODOCTL_DAPRD="+daprd, "HOME="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	var count, last atomic.Int64
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), `"type":"reminder.due"`) {
				last.Store(time.Now().UnixNano())
				count.Add(1)
			}
		}
	}()
	b.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended: Wait tells
		<-read
		if err := cmd.Wait(); err != nil {
			b.Errorf("dev: %v", err)
		}
	})
	for {
		if text, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(text, &run); err != nil {
				b.Fatal(err)
			}
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	return run, func(n int) time.Time {
		if n == 0 || count.Load() < int64(n) {
			return time.Time{}
		}
		return time.Unix(0, last.Load())
	}
}

func setReminders(b *testing.B, api string, n int, at time.Time) {
	b.Helper()
	body := fmt.Sprintf(`{"title":"due","remind_at":%q}`, at.UTC().Format(time.RFC3339Nano))
	var left atomic.Int64
	left.Store(int64(n))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := create(client, api, body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	clients.Wait()
}

func create(client *http.Client, api, body string) (took time.Duration, err error) {
	begin := time.Now()
	answer, err := client.Post(api+"/api/u1/tasks", "application/json", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusCreated {
		return 0, fmt.Errorf("create: %s", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return time.Since(begin), err
}

// createsUntil creates a task every 20 ms, whether or not the one before is there, and
// returns how long each took.
func createsUntil(b *testing.B, api string, over func() bool) []time.Duration {
	b.Helper()
	var mu sync.Mutex
	var took []time.Duration
	var calls sync.WaitGroup
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !over() {
		<-tick.C
		calls.Go(func() {
			d, err := create(http.DefaultClient, api, `{"title":"meanwhile"}`)
			if err != nil {
				b.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, d)
		})
	}
	calls.Wait()
	return took
}

// percentile is in milliseconds.
func percentile(took []time.Duration, p float64) float64 {
	slices.Sort(took)
	if len(took) == 0 {
		return 0
	}
	return float64(took[int(p*float64(len(took)-1))].Microseconds()) / 1000
}
