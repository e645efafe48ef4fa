//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	apache "github.com/todoctl/todoctl/test/kafka"
)

// The scripts that need nothing but a broker hold on Apache Kafka too, one after
// another on the same node, and so do those that only a real one can show.
func TestScriptsOnKafka(t *testing.T) {
	daprd := findDaprd(t)
	needKcat(t)
	node := startKafka(t, 1)
	params := scriptParams(daprd, node)
	params.Files = kafkaScripts(t)
	testscript.RunT(inTurn{t}, params)
}

// startKafka runs nodes of Apache Kafka until the test ends.
func startKafka(t *testing.T, nodes int) *apache.Cluster {
	t.Helper()
	cluster, err := apache.Start(t.Context(), nodes, os.Stderr)
	if errors.Is(err, apache.ErrMissing) {
		missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	closeAfter(t, cluster)
	return cluster
}

// closeAfter stops the nodes at the end of the test; of one that failed the logs stay.
func closeAfter(t *testing.T, cluster *apache.Cluster) {
	t.Helper()
	t.Cleanup(func() {
		logs, err := cluster.Close(t.Failed())
		if err != nil {
			t.Error(err)
		}
		if logs != "" {
			t.Logf("the logs of Apache Kafka are in %s", logs)
		}
	})
}

// kafkaScripts are those with the command broker or devbroker, and those of
// testdata/kafka.
func kafkaScripts(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/kafka/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^(dev)?broker$`)
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if command.Match(text) {
			files = append(files, file)
		}
	}
	return files
}

// inTurn runs scripts one after another.
type inTurn struct{ *testing.T }

func (inTurn) Parallel()     {}
func (inTurn) Verbose() bool { return testing.Verbose() }

func (t inTurn) Run(name string, script func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { script(inTurn{t}) })
}

// nodes N: starts an Apache Kafka of N nodes for this script and sets BROKER to the
// first.
func startNodes(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	cluster := startKafka(ts.Value("t").(inTurn).T, n)
	*ts.Value("nodes").(**apache.Cluster) = cluster
	ts.Setenv("BROKER", cluster.Brokers()[0])
}

// kill9 NODE: kills one of the nodes.
func killNode(ts *testscript.TestScript, _ bool, args []string) {
	node, err := strconv.Atoi(args[0])
	ts.Check(err)
	(*ts.Value("nodes").(**apache.Cluster)).Kill(node)
}

// restart NODE: starts a node that was killed.
func restartNode(ts *testscript.TestScript, _ bool, args []string) {
	node, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check((*ts.Value("nodes").(**apache.Cluster)).Restart(context.Background(), node))
}

// compacted TOPIC: makes a compacted topic on BROKER with one partition, in which the
// keys a, b and c had the values 1 to 3 and only 3 is left, c in a transaction; after
// them stand d, and last of all an aborted transaction's record e and its marker.
func compacted(ts *testscript.TestScript, _ bool, args []string) {
	ctx, topic := context.Background(), args[0]
	client := brokerClient(ts, kgo.DefaultProduceTopic(topic))
	_, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, map[string]*string{
		"cleanup.policy": kadm.StringPtr("compact"), "min.cleanable.dirty.ratio": kadm.StringPtr("0.01"), "segment.ms": kadm.StringPtr("50"),
	}, topic)
	ts.Check(err)
	for _, value := range []string{"1", "2", "3"} {
		ts.Check(client.ProduceSync(ctx, kgo.KeyStringRecord("a", value), kgo.KeyStringRecord("b", value)).FirstErr())
		inTransaction(ts, topic, kgo.TryCommit, kgo.KeyStringRecord("c", value))
	}
	poll(ts, "the compaction of "+topic, func() bool {
		// What is appended has the broker begin a new segment: the last one isn't compacted.
		ts.Check(client.ProduceSync(ctx, kgo.KeyStringRecord("d", "4")).FirstErr())
		return firstKeys(ts, topic, 3) == "a3 b3 c3"
	})
	inTransaction(ts, topic, kgo.TryAbort, kgo.KeyStringRecord("e", "5"))
}

func inTransaction(ts *testscript.TestScript, topic string, end kgo.TransactionEndTry, record *kgo.Record) {
	ctx := context.Background()
	client, err := kgo.NewClient(kgo.SeedBrokers(ts.Getenv("BROKER")), kgo.TransactionalID("script"), kgo.DefaultProduceTopic(topic))
	ts.Check(err)
	defer client.Close()
	ts.Check(client.BeginTransaction())
	ts.Check(client.ProduceSync(ctx, record).FirstErr())
	ts.Check(client.EndTransaction(ctx, end))
}

// firstKeys are the first records of a partition, as kcat reads them.
func firstKeys(ts *testscript.TestScript, topic string, n int) string {
	out, err := exec.Command("kcat", "-q", "-b", ts.Getenv("BROKER"), "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-f", `%k%s `).Output()
	ts.Check(err)
	words := strings.Fields(string(out))
	return strings.Join(words[:min(n, len(words))], " ")
}

// cut TOPIC PARTITION OFFSET: deletes the records before the offset.
func cut(ts *testscript.TestScript, _ bool, args []string) {
	partition, err := strconv.ParseInt(args[1], 10, 32)
	ts.Check(err)
	offset, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	var before kadm.Offsets
	before.AddOffset(args[0], int32(partition), offset, -1)
	answers, err := kadm.NewClient(brokerClient(ts)).DeleteRecords(context.Background(), before)
	ts.Check(err)
	ts.Check(answers.Error())
}
