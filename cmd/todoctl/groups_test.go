//go:build unix

package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// records TOPIC PARTITION AGE...: writes a record so long ago to the partition on
// BROKER, for each age.
func records(ts *testscript.TestScript, _ bool, args []string) {
	partition, err := strconv.ParseInt(args[1], 10, 32)
	ts.Check(err)
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{ts.Getenv("BROKER")}}, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	ts.Check(err)
	defer client.Close()
	for _, word := range args[2:] {
		age, err := time.ParseDuration(word)
		ts.Check(err)
		r := &kgo.Record{Topic: args[0], Partition: int32(partition), Value: []byte("{}"), Timestamp: time.Now().Add(-age)}
		ts.Check(client.ProduceSync(context.Background(), r).FirstErr())
	}
}

// consume GROUP TOPIC N [server]: joins the group on BROKER, reads N records from the
// start, commits them and stays, until `leave GROUP`. With server the brokers assign
// the partitions (KIP-848).
func consume(ts *testscript.TestScript, _ bool, args []string) {
	wanted, err := strconv.Atoi(args[2])
	ts.Check(err)
	opts := []kgo.Opt{
		kgo.ClientID("reader"), kgo.ConsumerGroup(args[0]), kgo.ConsumeTopics(args[1]),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit(),
	}
	if len(args) > 3 {
		opts = append(opts, kgo.ServerSideBalancer())
	}
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{ts.Getenv("BROKER")}}, opts...)
	ts.Check(err)
	ts.Defer(client.Close)
	ts.Value("members").(map[string]*kgo.Client)[args[0]] = client
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for got := 0; got < wanted; {
		fetches := client.PollFetches(ctx)
		ts.Check(fetches.Err0())
		got += fetches.NumRecords()
	}
	ts.Check(client.CommitUncommittedOffsets(ctx))
}

// leave GROUP: ends the member that consume began.
func leave(ts *testscript.TestScript, _ bool, args []string) {
	ts.Value("members").(map[string]*kgo.Client)[args[0]].CloseAllowingRebalance()
}
