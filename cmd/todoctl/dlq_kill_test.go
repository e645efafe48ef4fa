//go:build unix

package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	killLetters    = 4000 // every second of them is to be redriven
	killLetterRate = 800
)

// A redrive that is killed and run again brings every selected event back at least once,
// under its id, and no other; the next one waits until the group forgets the dead.
func TestRedriveSurvivesKill(t *testing.T) {
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, "task-events", "task-events-dlq"))
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client, err := kafka.NewClient(kafka.Options{Brokers: broker.ListenAddrs()}, kafka.KeepPartitions())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	buryLetters(t, client)

	argv := []string{"dlq", "redrive", "--brokers", broker.ListenAddrs()[0], "--reason", "timeout", "--no-canary", "--yes"}
	var out bytes.Buffer
	cmd := exec.Command("todoctl", append(argv, "--rate", fmt.Sprint(killLetterRate))...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRecords(t, client, killLetterRate*2) // some were committed by then, not all of them
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatalf("it ended by itself: %s", out.String())
	}
	second, err := exec.Command("todoctl", argv...).CombinedOutput()
	if err != nil || !strings.Contains(string(second), "waiting: another redrive or discard is under way") {
		t.Fatalf("%v: %s", err, second)
	}
	checkRedriven(t, broker.ListenAddrs())
	t.Logf("%s", second)
}

func buryLetters(t *testing.T, client *kgo.Client) {
	t.Helper()
	records := make([]*kgo.Record, killLetters)
	for i := range records {
		c := dlq.Cause{Reason: "timeout", Origin: dlq.Place{Topic: "task-events", Partition: int32(i % 3), Offset: int64(i)}}
		if i%4 > 1 {
			c.Reason = "invalid"
		}
		value, err := c.Attach(fmt.Appendf(nil, `{"specversion":"1.0","id":"%d","source":"s","type":"task.created","data":{}}`, i))
		if err != nil {
			t.Fatal(err)
		}
		records[i] = &kgo.Record{Topic: "task-events-dlq", Partition: int32((i + 1) % 3), Key: fmt.Append(nil, i), Value: value}
	}
	if err := kafka.Produce(t.Context(), client, records); err != nil {
		t.Fatal(err)
	}
}

// awaitRecords waits until the origin has so many records.
func awaitRecords(t *testing.T, client *kgo.Client, n int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		ends, err := kadm.NewClient(client).ListEndOffsets(ctx, "task-events")
		if err != nil {
			t.Fatal(err)
		}
		total := int64(0)
		ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
		if total >= n {
			return
		}
		<-tick.C
	}
}

func checkRedriven(t *testing.T, brokers []string) {
	t.Helper()
	copies, last := make(map[string]int), make(map[int32]int)
	all := 0
	err := kafka.Tail(t.Context(), kafka.Options{Brokers: brokers}, kafka.TailOptions{Topics: []string{"task-events"}, ExitAtEnd: true}, func(records []*kgo.Record) error {
		for _, r := range records {
			e, _ := kafka.ParseEvent(r)
			var n int
			if _, err := fmt.Sscan(e.ID, &n); err != nil {
				return err
			}
			if e.ID != string(r.Key) || n%4 > 1 || int(r.Partition) != n%3 {
				return fmt.Errorf("event %s with key %s is on partition %d", e.ID, r.Key, r.Partition)
			}
			if copies[e.ID] == 0 && n < last[r.Partition] {
				return fmt.Errorf("event %d is on partition %d behind %d", n, r.Partition, last[r.Partition])
			}
			last[r.Partition] = max(last[r.Partition], n)
			copies[e.ID]++
			all++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(copies) != killLetters/2 {
		t.Errorf("%d events are back, want %d", len(copies), killLetters/2)
	}
	if again := all - len(copies); again > killLetterRate*3/2 {
		t.Errorf("%d events came again: it did not go on where it was", again)
	} else {
		t.Logf("%d events came again", again)
	}
}
