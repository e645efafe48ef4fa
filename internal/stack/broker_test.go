package stack

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func startBrokerIn(t *testing.T, dir string) *Broker {
	t.Helper()
	ln, _, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartBroker(t.Context(), BrokerOptions{Listener: ln, DataDir: dir, Log: new(logBuffer).logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func createTopic(t *testing.T, broker, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(client(t, broker)).CreateTopic(t.Context(), -1, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

func client(t *testing.T, broker string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(broker), kgo.DisableClientMetrics())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// fillBroker writes ten records to a topic and commits offset 4 of partition 0.
func fillBroker(t *testing.T, addr string) {
	t.Helper()
	createTopic(t, addr, "task-events")
	for n := range 10 {
		produce(t, addr, fmt.Sprint(n))
	}
	var offsets kadm.Offsets
	offsets.AddOffset("task-events", 0, 4, -1)
	if err := kadm.NewClient(client(t, addr)).CommitAllOffsets(t.Context(), "reminders", offsets); err != nil {
		t.Fatal(err)
	}
}

func produce(t *testing.T, addr, value string) {
	t.Helper()
	c := client(t, addr, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "task-events", Value: []byte(value)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// consume reads n records of partition 0 from the start.
func consume(t *testing.T, addr string, n int) []string {
	t.Helper()
	c := client(t, addr, kgo.FetchMaxWait(100*time.Millisecond), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		"task-events": {0: kgo.NewOffset().AtStart()},
	}))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var values []string
	for len(values) < n {
		fetches := c.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("after %q: %v", values, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

// checkBroker checks that all of fillBroker is there, and that it goes on.
func checkBroker(t *testing.T, addr string) {
	t.Helper()
	want := strings.Split("0123456789", "")
	if diff := cmp.Diff(want, consume(t, addr, 10)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	adm := kadm.NewClient(client(t, addr))
	topics, err := adm.ListTopics(t.Context(), "task-events")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(topics["task-events"].Partitions); got != defaultPartitions {
		t.Errorf("%d partitions, want %d", got, defaultPartitions)
	}
	offsets, err := adm.FetchOffsets(t.Context(), "reminders")
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := offsets.Lookup("task-events", 0); !ok || o.At != 4 {
		t.Errorf("committed offset %v, want 4", o.At)
	}
	produce(t, addr, "new")
	if got := consume(t, addr, 11); got[10] != "new" {
		t.Errorf("after a new record: %q", got)
	}
}

func TestBrokerSurvivesClose(t *testing.T) {
	dir := t.TempDir()
	b := startBrokerIn(t, dir)
	fillBroker(t, b.Addr())
	b.Close()
	b.Close()
	checkBroker(t, startBrokerIn(t, dir).Addr())
}

func TestBrokerSurvivesKill(t *testing.T) {
	dir := t.TempDir()
	cmd, state := startChild(t, "broker", dir)
	fillBroker(t, state.Addr)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	checkBroker(t, startBrokerIn(t, dir).Addr())
}

// A write that a crash cut off, and so was never acknowledged, is dropped.
func TestBrokerDropsTornWrite(t *testing.T) {
	dir := t.TempDir()
	cmd, state := startChild(t, "broker", dir)
	fillBroker(t, state.Addr)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	segments, err := filepath.Glob(filepath.Join(dir, "partitions", "task-events-0", "*.dat"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("segments %v, %v", segments, err)
	}
	content := readTestFile(t, segments[0])
	half := content[:len(content)/20] // of a batch: ten of them are the same size
	writeTestFile(t, segments[0], content+half, 0o600)
	checkBroker(t, startBrokerIn(t, dir).Addr())
}

func TestBrokerDamagedData(t *testing.T) {
	dir := t.TempDir()
	startBrokerIn(t, dir).Close()
	writeTestFile(t, filepath.Join(dir, "topics.json"), `{"version`, 0o600)
	wantError(t, startBrokerError(t, dir), "start broker", dir, "can't be read", "move that folder away")
}

func TestBrokerUnwritableData(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeTestFile(t, file, "", 0o600)
	wantError(t, startBrokerError(t, filepath.Join(file, "data")), "start broker", "data folder", file)
}

func startBrokerError(t *testing.T, dir string) error {
	t.Helper()
	ln, _, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = StartBroker(t.Context(), BrokerOptions{Listener: ln, DataDir: dir, Log: new(logBuffer).logger()})
	again, listenErr := listen(t.Context(), ln.Addr().String())
	if listenErr != nil {
		t.Errorf("the listener is still open: %v", listenErr)
	} else {
		_ = again.Close()
	}
	return err
}

func TestBrokerDoesNotCreateTopics(t *testing.T) {
	b := startBrokerIn(t, "")
	c := client(t, b.Addr(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(0))
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "tsak-events"}).FirstErr(); err == nil {
		t.Error("producing to a topic that doesn't exist went through")
	}
}

func TestBrokerAdvertises(t *testing.T) {
	ln, _, err := Listen(t.Context(), "0.0.0.0:0", false)
	if err != nil {
		t.Fatal(err)
	}
	opts := BrokerOptions{Listener: ln, Log: new(logBuffer).logger()}
	_, err = StartBroker(t.Context(), opts)
	wantError(t, err, "clients can't connect to")

	if opts.Listener, _, err = Listen(t.Context(), ln.Addr().String(), true); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(ln.Addr().String(), "[::]"), ":")
	opts.Advertise = "127.0.0.1:" + port
	b, err := StartBroker(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	brokers, err := kadm.NewClient(client(t, "127.0.0.1:"+port)).ListBrokers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(brokers) != 1 || brokers[0].Host != "127.0.0.1" || fmt.Sprint(brokers[0].Port) != port {
		t.Errorf("brokers %+v", brokers)
	}
}
