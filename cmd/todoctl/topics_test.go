//go:build unix

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

// decline TOPIC: the next request that would create, change or delete the topic on
// BROKER is declined, by the topic's policy.
func decline(ts *testscript.TestScript, _ bool, args []string) {
	cluster := *ts.Value("cluster").(**kfake.Cluster)
	cluster.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics, kmsg.CreatePartitions, kmsg.DeleteTopics}, Topic: args[0], Err: kerr.PolicyViolation},
		kfake.Fault{Keys: []kmsg.Key{kmsg.IncrementalAlterConfigs}, Resource: args[0], Err: kerr.PolicyViolation},
	)
}

// unwell TOPIC: from now on the topic's first partition has one replica in sync, and
// its second no leader.
func unwell(ts *testscript.TestScript, _ bool, args []string) {
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{ts.Getenv("BROKER")}})
	ts.Check(err)
	defer client.Close()
	all := kmsg.NewPtrMetadataRequest()
	sick, err := all.RequestWith(context.Background(), client)
	ts.Check(err)
	for i, t := range sick.Topics {
		slices.SortFunc(t.Partitions, func(a, b kmsg.MetadataResponseTopicPartition) int { return int(a.Partition - b.Partition) })
		if *t.Topic == args[0] {
			first, second := &sick.Topics[i].Partitions[0], &sick.Topics[i].Partitions[1]
			first.ISR = first.ISR[:1]
			second.Leader, second.ISR, second.ErrorCode = -1, nil, kerr.LeaderNotAvailable.Code
			second.OfflineReplicas = second.Replicas
		}
	}
	cluster := *ts.Value("cluster").(**kfake.Cluster)
	cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		answer, asked := *sick, req.(*kmsg.MetadataRequest).Topics
		if asked != nil {
			answer.Topics = nil
			for _, t := range sick.Topics {
				if slices.ContainsFunc(asked, func(a kmsg.MetadataRequestTopic) bool { return a.Topic != nil && *a.Topic == *t.Topic }) {
					answer.Topics = append(answer.Topics, t)
				}
			}
		}
		answer.SetVersion(req.GetVersion())
		return &answer, nil, true
	})
}

// reads GROUP TOPIC PARTITION OFFSET: the group has read the partition up to there.
func reads(ts *testscript.TestScript, _ bool, args []string) {
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{ts.Getenv("BROKER")}})
	ts.Check(err)
	defer client.Close()
	partition, err := strconv.ParseInt(args[2], 10, 32)
	ts.Check(err)
	offset, err := strconv.ParseInt(args[3], 10, 64)
	ts.Check(err)
	var offsets kadm.Offsets
	offsets.AddOffset(args[1], int32(partition), offset, -1)
	ts.Check(kadm.NewClient(client).CommitAllOffsets(context.Background(), args[0], offsets))
}

// The whole program asks the cluster no more than it must: the first Metadata, of no
// topic, shows that a broker is there and has let the client in.
func TestTopicsSetupRequests(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	var mu sync.Mutex
	var seen []string
	cluster.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		if name := kmsg.NameForKey(req.Key()); name != "ApiVersions" {
			seen = append(seen, name)
		}
		return nil, nil, false
	})
	for _, c := range []struct {
		command string
		want    []string
	}{
		{"setup", []string{"Metadata", "Metadata", "Metadata", "CreateTopics", "Metadata"}},
		{"setup", []string{"Metadata", "Metadata", "DescribeConfigs"}},
		{"plan", []string{"Metadata", "Metadata", "DescribeConfigs"}},
		{"verify", []string{"Metadata", "Metadata", "DescribeConfigs"}},
	} {
		var stderr bytes.Buffer
		args := []string{"topics", c.command, "--brokers", cluster.ListenAddrs()[0]}
		if code := run(t.Context(), args, strings.NewReader(""), &bytes.Buffer{}, &stderr, nil); code != 0 {
			t.Fatalf("%s: code %d: %s", c.command, code, stderr.String())
		}
		mu.Lock()
		if diff := cmp.Diff(c.want, seen); diff != "" {
			t.Errorf("%s (-want +got)\n%s", c.command, diff)
		}
		seen = nil
		mu.Unlock()
	}
}

// Ctrl-C ends a question that nobody answers.
func TestReadLineEndsWithItsContext(t *testing.T) {
	in, out := io.Pipe()
	t.Cleanup(func() { _ = out.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := readLine(ctx, bufio.NewReader(in)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	answered, answer := io.Pipe()
	go func() { _, _ = io.WriteString(answer, "reminders\n") }()
	if line, err := readLine(t.Context(), bufio.NewReader(answered)); line != "reminders\n" || err != nil {
		t.Errorf("got %q, %v", line, err)
	}
}
