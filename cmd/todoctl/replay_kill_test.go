//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	killRecords = 12_000
	killRate    = 4000
)

// A replay that is killed again and again, and resumed, has every record in the
// target, and of each partition the first copies in order.
func TestReplaySurvivesKill(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "source", "target"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	broker := cluster.ListenAddrs()[0]
	fillSource(t, broker)
	state := filepath.Join(t.TempDir(), "state.json")
	argv := []string{"events", "replay", "source", "--to", "target", "--brokers", broker, "--state", state}
	for _, at := range []int64{killRecords / 4, killRecords / 2, killRecords * 3 / 4} {
		killReplay(t, state, at, append(argv, "--rate", strconv.Itoa(killRate))...)
		argv = append(argv[:9:9], "--resume")
	}
	if out, err := exec.Command("todoctl", argv...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkCopies(t, broker)
}

func fillSource(t *testing.T, broker string) {
	t.Helper()
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{broker}}, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	records := make([]*kgo.Record, killRecords)
	for i := range records {
		records[i] = &kgo.Record{Topic: "source", Partition: int32(i % 3), Key: fmt.Append(nil, i), Value: fmt.Append(nil, i/3)}
	}
	if err := kafka.Produce(t.Context(), client, records); err != nil {
		t.Fatal(err)
	}
}

// killReplay kills the real program once its state has passed so many records.
func killReplay(t *testing.T, state string, at int64, argv ...string) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.Command("todoctl", argv...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			t.Fatalf("it ended before it could be killed: %v: %s", err, out.String())
		case <-tick.C:
		}
		if s, err := kafka.ReadReplayState(state); err == nil && s.Total().Records >= at {
			break
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Fatal("it ended by itself")
	}
}

func checkCopies(t *testing.T, broker string) {
	t.Helper()
	next, copies := make(map[int32]int), 0
	err := kafka.Tail(t.Context(), kafka.Options{Brokers: []string{broker}}, kafka.TailOptions{Topics: []string{"target"}, ExitAtEnd: true}, func(records []*kgo.Record) error {
		for _, r := range records {
			copies++
			n, err := strconv.Atoi(string(r.Value))
			if err != nil {
				return err
			}
			if want := strconv.Itoa(3*n + int(r.Partition)); string(r.Key) != want {
				return fmt.Errorf("record %d of partition %d has the key %s, not %s", n, r.Partition, r.Key, want)
			}
			if n > next[r.Partition] {
				return fmt.Errorf("partition %d has record %d before %d", r.Partition, n, next[r.Partition])
			}
			next[r.Partition] = max(next[r.Partition], n+1)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for p := range int32(3) {
		if next[p] != killRecords/3 {
			t.Errorf("partition %d ends at record %d of %d", p, next[p], killRecords/3)
		}
	}
	if again := copies - killRecords; again >= killRecords {
		t.Errorf("%d records came again: it was not resumed", again)
	} else {
		t.Logf("%d records came again", again)
	}
}
