//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/todoctl/todoctl/internal/kafka"
	apache "github.com/todoctl/todoctl/test/kafka"
)

// A clientTest has records written and read by clients that share no code with us.
type clientTest struct {
	*testing.T
	ctx     context.Context
	cluster *apache.Cluster
	tools   *apache.Tools
	python  string // folder of the library
	records []clientRecord
}

type clientRecord struct{ key, value string }

// Every client reads what each of the others has written, and those whose hash is the
// same put a key on the same partition.
func TestSameKeysSamePartitions(t *testing.T) {
	daprd := findDaprd(t)
	needKcat(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	c := &clientTest{T: t, ctx: ctx, python: needPython(t), tools: needTools(t), cluster: startKafka(t, 1), records: keyedRecords()}
	writers := c.writers(daprd)
	names := slices.Sorted(maps.Keys(writers))
	c.makeTopics(names)
	places := map[string]map[string]string{}
	for _, name := range names {
		writers[name](name)
		places[name] = c.placesOf(name)
	}
	for hash, same := range hashes() {
		for _, name := range same[1:] {
			if diff := cmp.Diff(places[same[0]], places[name]); diff != "" {
				t.Errorf("%s: keys of %s (-) and %s (+) are on other partitions:\n%s", hash, same[0], name, diff)
			}
		}
	}
	if cmp.Equal(places["direct"], places["console"]) || cmp.Equal(places["direct"], places["kcat"]) || cmp.Equal(places["kcat"], places["console"]) {
		t.Error("two different hashes put all keys on the same partitions")
	}
	c.readByAll(names)
}

// hashes are the writers that agree, by what their partitions come from.
func hashes() map[string][]string {
	return map[string][]string{
		"FNV-1a":  {"direct", "dapr", "kcat-fnv1a", "python-fnv1a"},
		"murmur2": {"console", "python", "kcat-murmur2"},
	}
}

// keyedRecords have keys as tasks have them, and others.
func keyedRecords() []clientRecord {
	keys := []string{"ключ", "世界 🌍", "two words", strings.Repeat("long", 250)}
	for id := range 60 {
		keys = append(keys, fmt.Sprint(id+1))
	}
	var records []clientRecord
	for i, key := range keys {
		records = append(records, clientRecord{key, fmt.Sprintf(`{"n":%d}`, i)})
	}
	return records
}

// writers write the records to the topic of their name.
func (c *clientTest) writers(daprd string) map[string]func(topic string) {
	kcat := func(settings ...string) func(string) {
		return func(topic string) {
			c.run(c.lines(), exec.CommandContext(c.ctx, "kcat", slices.Concat([]string{"-b", c.broker(), "-P", "-t", topic, "-K", "\t"}, settings)...))
		}
	}
	python := func(partitioner string) func(string) {
		return func(topic string) { c.run(c.lines(), c.py("produce", topic, partitioner)) }
	}
	return map[string]func(string){
		"direct": func(topic string) { // Python's library can't read the default, snappy, by itself
			c.run(c.jsonLines(), c.command("events", "publish", topic, "--direct", "--brokers", c.broker(), "--compression", "gzip"))
		},
		"dapr":         func(topic string) { c.throughDapr(daprd, topic) },
		"kcat":         kcat(),
		"kcat-fnv1a":   kcat("-X", "topic.partitioner=fnv1a_random"),
		"kcat-murmur2": kcat("-X", "topic.partitioner=murmur2_random"),
		"python":       python("default"),
		"python-fnv1a": python("fnv1a"),
		"console": func(topic string) {
			c.run(c.lines(), c.tools.Command(c.ctx, "ConsoleProducer", "--bootstrap-server", c.broker(), "--topic", topic,
				"--reader-property", "parse.key=true", "--reader-property", "key.separator=\t"))
		},
	}
}

// readByAll has every client read all topics.
func (c *clientTest) readByAll(names []string) {
	c.Helper()
	want := c.readKcat(names)
	if len(want) != len(names)*len(c.records) {
		c.Fatalf("kcat reads %d records, want %d of each of %q", len(want), len(c.records), names)
	}
	all := "^(" + strings.Join(names, "|") + ")$"
	for name, cmd := range map[string]*exec.Cmd{
		"kafka-python": c.py(append([]string{"consume", fmt.Sprint(len(want))}, names...)...),
		"the console consumer": c.tools.Command(c.ctx, "consumer.ConsoleConsumer", "--bootstrap-server", c.broker(),
			"--include", all, "--from-beginning", "--max-messages", fmt.Sprint(len(want)), "--formatter-property", "print.key=true",
			"--formatter-property", "print.partition=true", "--formatter-property", "print.value=true"),
		"todoctl": c.command("events", "tail", "--regex", all, "-o", "start", "-e", "--brokers", c.broker(), "--format", `%p\t%k\t%v\n`),
	} {
		got := strings.Split(strings.ReplaceAll(strings.TrimSpace(c.run("", cmd)), "Partition:", ""), "\n")
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			c.Errorf("kcat (-) and %s (+) read:\n%.2000s", name, diff)
		}
	}
}

// readKcat reads topics to their ends: partition, key and value, sorted.
func (c *clientTest) readKcat(names []string) []string {
	c.Helper()
	var read []string
	for _, name := range names {
		out := c.run("", exec.CommandContext(c.ctx, "kcat", "-q", "-b", c.broker(), "-C", "-t", name, "-o", "beginning", "-e", "-f", `%p\t%k\t%s\n`))
		read = append(read, strings.Split(strings.TrimSpace(out), "\n")...)
	}
	slices.Sort(read)
	return read
}

// placesOf are the partitions of the keys of a topic.
func (c *clientTest) placesOf(name string) map[string]string {
	c.Helper()
	places := map[string]string{}
	for _, line := range c.readKcat([]string{name}) {
		partition, rest, _ := strings.Cut(line, "\t")
		key, _, _ := strings.Cut(rest, "\t")
		places[key] = partition
	}
	if len(places) != len(c.records) {
		c.Fatalf("%s has %d keys, want %d", name, len(places), len(c.records))
	}
	return places
}

func (c *clientTest) broker() string { return c.cluster.Brokers()[0] }

func (c *clientTest) makeTopics(names []string) {
	c.Helper()
	client, err := kafka.NewClient(kafka.Options{Brokers: c.cluster.Brokers()})
	if err != nil {
		c.Fatal(err)
	}
	defer client.Close()
	made, err := kadm.NewClient(client).CreateTopics(c.ctx, 7, 1, nil, names...)
	if err == nil {
		err = made.Error()
	}
	if err != nil {
		c.Fatal(err)
	}
}

// lines are the records as most clients take them.
func (c *clientTest) lines() string {
	var b strings.Builder
	for _, r := range c.records {
		fmt.Fprintf(&b, "%s\t%s\n", r.key, r.value)
	}
	return b.String()
}

// jsonLines are the records as events tail prints them.
func (c *clientTest) jsonLines() string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	for _, r := range c.records {
		if err := encoder.Encode(map[string]any{"topic": "x", "partition": 0, "offset": 0, "timestamp": nil, "key": r.key, "headers": []any{}, "value": r.value}); err != nil {
			c.Fatal(err)
		}
	}
	return b.String()
}
