//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// topic NAME PARTITIONS: makes a topic on BROKER.
func makeTopic(ts *testscript.TestScript, _ bool, args []string) {
	partitions, err := strconv.ParseInt(args[1], 10, 32)
	ts.Check(err)
	client := brokerClient(ts)
	_, err = kadm.NewClient(client).CreateTopic(context.Background(), int32(partitions), 1, nil, args[0])
	ts.Check(err)
}

func brokerClient(ts *testscript.TestScript, extra ...kgo.Opt) *kgo.Client {
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{ts.Getenv("BROKER")}}, extra...)
	ts.Check(err)
	ts.Defer(client.Close)
	return client
}

// oddrecords TOPIC: fills a topic of three partitions with records of every kind that
// could lose something on its way.
func oddRecords(ts *testscript.TestScript, _ bool, args []string) {
	const event = `{"specversion":"1.0","id":"1","source":"s", "type":"x.y","data":{"big":9007199254740993,"u":"\u00e4"}}`
	header := func(key, value string) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: []byte(value)} }
	large := bytes.Repeat([]byte{0, 0xff, 'a', '"'}, 250_000)
	records := []*kgo.Record{
		{Key: []byte("k"), Value: []byte(event)},
		{Key: nil, Value: []byte("v")},
		{Key: []byte{}, Value: []byte{}},
		{Key: []byte("k"), Value: nil},
		{Key: nil, Value: nil, Headers: []kgo.RecordHeader{{Key: "null", Value: nil}, header("empty", "")}},
		{Key: []byte{0xff, 0, 0x80}, Value: []byte{0xfe, 0xff, '\n', 0}},
		{Key: []byte("h"), Value: []byte("v"), Headers: []kgo.RecordHeader{header("a", "1"), header("b", "2"), header("a", "1"), header("\xff", "\x80"), header("", "")}},
		{Key: []byte("h"), Value: []byte(event), Headers: []kgo.RecordHeader{header("content-type", "application/cloudevents+json"), header("traceparent", "00-1")}},
		{Key: []byte("j"), Value: []byte(`{"a":1}`)},
		{Key: []byte("j"), Value: []byte("{\n\"specversion\":\"1.0\"}\r\n")},
		{Key: []byte("j"), Value: []byte("\u009b31m \u202e \x1b[2J \\ \" \t \u2028")},
		{Key: []byte("large"), Value: large},
		{Key: []byte("large"), Value: bytes.Repeat([]byte("x"), 1_000_000)},
		{Key: large[:1000], Value: []byte(strings.Repeat("\x01", 300_000))},
	}
	for i, r := range records {
		r.Topic, r.Partition = args[0], int32(i%3)
		r.Timestamp = time.Date(2001, 2, 3, 4, 5, i, 678_000_000, time.UTC) // old, and each its own
	}
	client := brokerClient(ts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(1048588))
	ts.Check(kafka.Produce(context.Background(), client, records))
}

// A stored record, without what the broker gives it.
type stored struct {
	Partition  int32
	Time       time.Time
	Key, Value string
	Headers    []kgo.RecordHeader
}

// shown tells null from empty; strings are compared faster than bytes.
func shown(b []byte) string {
	if b == nil {
		return "null"
	}
	return "=" + string(b)
}

// samerecords TOPIC TOPIC: both have the very same records.
func sameRecords(ts *testscript.TestScript, _ bool, args []string) {
	var both [2][]stored
	for i, topic := range args {
		ts.Check(kafka.Tail(context.Background(), kafka.Options{Brokers: []string{ts.Getenv("BROKER")}},
			kafka.TailOptions{Topics: []string{topic}, ExitAtEnd: true, Range: kafka.Range{}},
			func(records []*kgo.Record) error {
				for _, r := range records {
					both[i] = append(both[i], stored{r.Partition, r.Timestamp.UTC(), shown(r.Key), shown(r.Value), r.Headers})
				}
				return nil
			}))
		slices.SortStableFunc(both[i], func(a, b stored) int { return cmp.Compare(a.Partition, b.Partition) })
	}
	if len(both[0]) == 0 {
		ts.Fatalf("%s has no records", args[0])
	}
	if diff := gocmp.Diff(both[0], both[1]); diff != "" {
		ts.Fatalf("%s and %s differ:\n%.3000s", args[0], args[1], diff)
	}
}

// sameorder FILE FILE: lines of tail's, which have the same ids in the same order for
// each key.
func sameOrder(ts *testscript.TestScript, _ bool, args []string) {
	var both [2]map[string][]string
	for i, file := range args {
		both[i] = map[string][]string{}
		for line := range strings.Lines(ts.ReadFile(file)) {
			var record struct {
				Key   string
				Event struct{ ID string }
			}
			ts.Check(json.Unmarshal([]byte(line), &record))
			both[i][record.Key] = append(both[i][record.Key], record.Event.ID)
		}
	}
	if diff := gocmp.Diff(both[0], both[1]); diff != "" {
		ts.Fatalf("%s and %s differ:\n%.3000s", args[0], args[1], diff)
	}
}
