//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

// BenchmarkLiveUpdates has a thousand clients of fifty users on one `todoctl serve`,
// a process of its own. An operation is one change, which twenty clients see; changes
// are made at a steady rate, so that the time of an operation says nothing. It tells
// how long after its record was sent to the broker a change was read by its clients,
// and the memory of serve: before the clients came, with them, and at the end. The
// broker and the clients are in the test's process and share the cores.
func BenchmarkLiveUpdates(b *testing.B) {
	for _, rate := range []int{100, 1000} {
		b.Run(fmt.Sprintf("%d_changes_a_second", rate), func(b *testing.B) { benchmarkLive(b, rate) })
	}
}

func benchmarkLive(b *testing.B, rate int) {
	const clients, users = 1000, 50
	c := updatesCluster(b)
	defer c.Close()
	pid, api := serveProcess(b, c.ListenAddrs()[0])
	alone := residentMB(b, pid)
	r := &replica{url: api}
	var reading sync.WaitGroup
	took := make([][]time.Duration, clients)
	listeners := make([]*listener, clients)
	for i := range listeners {
		listeners[i] = listen(b, r, fmt.Sprint("user", i%users), "").joined()
		reading.Go(func() { took[i] = listeners[i].delays() })
	}
	joined := residentMB(b, pid)
	client, err := kafka.NewClient(kafka.Options{Brokers: c.ListenAddrs()}, kgo.ProducerLinger(0))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	sent := 0
	for b.Loop() {
		user := sent % users
		client.Produce(b.Context(), syncRecord(fmt.Sprint("user", user), user+1, strconv.FormatInt(time.Now().UnixNano(), 10)), func(_ *kgo.Record, err error) {
			if err != nil {
				b.Error(err)
			}
		})
		sent++
		<-tick.C
	}
	for user := range users { // the last change of each one's task
		client.Produce(b.Context(), syncRecord(fmt.Sprint("user", user), user+1, "0"), nil)
	}
	reading.Wait()
	b.ReportMetric(alone, "MB-alone") // b.Loop forgets what was reported before it
	b.ReportMetric(joined, "MB-with-clients")
	b.ReportMetric(residentMB(b, pid), "MB-at-the-end")
	all := slices.Concat(took...)
	if want := sent * clients / users; len(all) != want {
		b.Errorf("%d changes were seen, want %d", len(all), want)
	}
	slices.Sort(all)
	for name, share := range map[string]float64{"p50-ms": .5, "p99-ms": .99, "max-ms": 1} {
		b.ReportMetric(float64(all[int(share*float64(len(all)-1))].Microseconds())/1000, name)
	}
	b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "changes/s")
}

// delays reads titles that are times, until one is 0, and returns how long ago they
// were.
func (l *listener) delays() []time.Duration {
	var delays []time.Duration
	for {
		sent, err := strconv.ParseInt(l.titles(1)[0], 10, 64)
		if err != nil {
			l.t.Error(err)
		}
		if err != nil || sent == 0 {
			return delays
		}
		delays = append(delays, time.Since(time.Unix(0, sent)))
	}
}

// serveProcess runs `todoctl serve` until the benchmark ends.
func serveProcess(b *testing.B, broker string) (pid int, api string) {
	b.Helper()
	dir := b.TempDir()
	ready := filepath.Join(dir, "ready")
	cmd := exec.Command("todoctl", "serve", "--sidecar", "off", "--brokers", broker, "--api-addr", "127.0.0.1:0", "--ready-file", ready)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir)
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			b.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Errorf("serve: %v", err)
		}
	})
	var run stack.Run
	waitFor(b, func() bool {
		text, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(text, &run) == nil
	})
	return cmd.Process.Pid, "http://" + run.APIAddr
}

func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kilobytes, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return float64(kilobytes) / 1024
}
