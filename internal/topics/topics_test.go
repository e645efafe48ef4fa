package topics_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/topics"
)

func cluster(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cl, err := kafka.NewClient(kafka.Options{Brokers: c.ListenAddrs()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return c, cl
}

func read(t *testing.T, cl *kgo.Client, specs []topics.Spec) topics.State {
	t.Helper()
	st, err := topics.Read(t.Context(), cl, topics.Names(specs))
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func apply(t *testing.T, cl *kgo.Client, specs []topics.Spec) {
	t.Helper()
	if _, err := topics.Apply(t.Context(), cl, topics.Diff(specs, read(t, cl, specs))); err != nil {
		t.Fatal(err)
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func words(p topics.Plan) []string {
	var lines []string
	for _, s := range p.Steps {
		lines = append(lines, s.String())
	}
	for _, r := range p.Refusals {
		lines = append(lines, "refused: "+r.Field+" of "+r.Topic+" "+r.Have+" → "+r.Want)
	}
	return lines
}

// requests counts what the cluster is asked, by name.
func requests(c *kfake.Cluster) func() map[string]int {
	var mu sync.Mutex
	seen := make(map[string]int)
	c.Control(func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		seen[kmsg.NameForKey(req.Key())]++
		return nil, nil, false
	})
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		was := seen
		seen = make(map[string]int)
		delete(was, "ApiVersions")
		return was
	}
}

func TestSetupTwice(t *testing.T) {
	c, cl := cluster(t)
	if err := kafka.Reach(t.Context(), cl, 0); err != nil {
		t.Fatal(err)
	}
	specs := topics.Builtin()
	seen := requests(c)
	plan := topics.Diff(specs, read(t, cl, specs))
	equal(t, seen(), map[string]int{"Metadata": 2}) // the second lists the names there are
	equal(t, words(plan), []string{
		"create topic task-events: 3 partitions, replication factor 1, cleanup.policy=delete, retention.ms=604800000 (7 days)",
		"create topic reminders: 3 partitions, replication factor 1, cleanup.policy=delete, retention.ms=604800000 (7 days)",
		"create topic task-updates: 3 partitions, replication factor 1, cleanup.policy=delete, retention.ms=604800000 (7 days)",
		"create topic task-events-dlq: 3 partitions, replication factor 1, cleanup.policy=delete, retention.ms=2592000000 (30 days)",
		"create topic reminders-dlq: 3 partitions, replication factor 1, cleanup.policy=delete, retention.ms=2592000000 (30 days)",
	})
	note := topics.Note{Topics: topics.Names(specs), Text: "replication factor 3 is wanted, 1 is possible: the cluster has 1 broker"}
	equal(t, plan.Notes, []topics.Note{note})
	equal(t, topics.Verify(specs, read(t, cl, specs))[0], topics.Drift{Topic: "task-events", Field: "topic", Want: "present", Have: "missing"})
	seen()

	results, err := topics.Apply(t.Context(), cl, plan)
	if err != nil || len(results) != 5 {
		t.Fatalf("%d results: %v", len(results), err)
	}
	equal(t, seen(), map[string]int{"CreateTopics": 1, "Metadata": 1})

	st := read(t, cl, specs)
	equal(t, seen(), map[string]int{"Metadata": 1, "DescribeConfigs": 1})
	again := topics.Diff(specs, st)
	if !again.Empty() {
		t.Errorf("not empty: %q", words(again))
	}
	equal(t, again.Notes, []topics.Note{note})
	equal(t, topics.Verify(specs, st), []topics.Drift{})
	if _, err := topics.Apply(t.Context(), cl, again); err != nil {
		t.Error(err)
	}
	equal(t, seen(), map[string]int{})
}

func TestDriftIsMended(t *testing.T) {
	c, cl := cluster(t)
	apply(t, cl, []topics.Spec{
		{Name: "a", Partitions: 2, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "3600000", "max.message.bytes": "2000000"}},
		{Name: "b", Partitions: 1, ReplicationFactor: 1},
		{Name: "c", Partitions: 5, ReplicationFactor: 1},
	})
	want := []topics.Spec{
		{Name: "a", Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "604800000", "cleanup.policy": "compact"}},
		{Name: "b", Partitions: 4, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "-1"}},
		{Name: "c", Partitions: 3, ReplicationFactor: 1},
	}
	plan := topics.Diff(want, read(t, cl, want))
	equal(t, words(plan), []string{
		"add partitions to a: 2 → 3",
		"set cleanup.policy of a: delete → compact",
		"set retention.ms of a: 3600000 (1 hour) → 604800000 (7 days)",
		"add partitions to b: 1 → 4",
		"set retention.ms of b: 604800000 (7 days) → -1 (forever)",
		"refused: partitions of c 5 → 3",
	})
	equal(t, topics.Verify(want, read(t, cl, want))[:2], []topics.Drift{
		{Topic: "a", Field: "partitions", Want: "3", Have: "2"},
		{Topic: "a", Field: "cleanup.policy", Want: "compact", Have: "delete"},
	})
	seen := requests(c)
	if _, err := topics.Apply(t.Context(), cl, plan); err != nil {
		t.Fatal(err)
	}
	equal(t, seen(), map[string]int{"CreatePartitions": 1, "IncrementalAlterConfigs": 1, "Metadata": 1})
	st := read(t, cl, want)
	equal(t, words(topics.Diff(want, st)), []string{"refused: partitions of c 5 → 3"})
	equal(t, st.Topics["a"].Configs["max.message.bytes"].Value, "2000000")
}

func TestReplicationFactor(t *testing.T) {
	have := func(rf int) topics.State {
		return topics.State{Brokers: 2, Topics: map[string]topics.Topic{
			"a": {Partitions: []topics.Partition{{Replicas: make([]int32, rf)}}},
		}}
	}
	spec := []topics.Spec{{Name: "a", Partitions: 1, ReplicationFactor: 3}}
	equal(t, words(topics.Diff(spec, have(1))), []string{"refused: replication_factor of a 1 → 2"})
	equal(t, words(topics.Diff(spec, have(4))), []string{"refused: replication_factor of a 4 → 2"})
	for _, rf := range []int{2, 3} { // three replicas with two brokers up: one is down
		if p := topics.Diff(spec, have(rf)); !p.Empty() {
			t.Errorf("factor %d: %q", rf, words(p))
		}
	}
}

func TestOneFailureDoesntStopTheOthers(t *testing.T) {
	c, cl := cluster(t)
	specs := topics.Builtin()
	fault := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "reminders", Err: kerr.PolicyViolation})
	results, err := topics.Apply(t.Context(), cl, topics.Diff(specs, read(t, cl, specs)))
	if !errors.Is(err, kerr.PolicyViolation) || !strings.Contains(err.Error(), `create topic "reminders": POLICY_VIOLATION`) {
		t.Errorf("got %v", err)
	}
	for _, r := range results {
		if failed := r.Topic == "reminders"; failed != (r.Err != nil) || failed != (r.Reason != "") {
			t.Errorf("topic %s: %v", r.Topic, r.Err)
		}
	}
	equal(t, len(read(t, cl, specs).Topics), 4)
	fault.Remove()
	apply(t, cl, specs)
	equal(t, topics.Verify(specs, read(t, cl, specs)), []topics.Drift{})
}

func TestSomebodyElseWasFaster(t *testing.T) {
	c, cl := cluster(t)
	specs := []topics.Spec{{Name: "same", Partitions: 3, ReplicationFactor: 1}, {Name: "other", Partitions: 3, ReplicationFactor: 1}}
	plan := topics.Diff(specs, read(t, cl, specs))
	if err := errors.Join(c.CreateTopic("same", 3, nil), c.CreateTopic("other", 1, nil)); err != nil {
		t.Fatal(err)
	}
	_, err := topics.Apply(t.Context(), cl, plan)
	want := `create topic "other": somebody else has created it meanwhile with partitions 1, wanted is 3; plan again`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestReadNamesWhatItMayNotSee(t *testing.T) {
	c, cl := cluster(t, kfake.SeedTopics(1, "a", "b"))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: "b", Err: kerr.TopicAuthorizationFailed})
	_, err := topics.Read(t.Context(), cl, []string{"a", "b"})
	if !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), `settings of topic "b"`) {
		t.Errorf("got %v", err)
	}
}

func TestListAndDescribe(t *testing.T) {
	_, cl := cluster(t)
	apply(t, cl, topics.Builtin())
	err := kafka.Produce(t.Context(), cl, []*kgo.Record{{Topic: "task-events", Key: []byte("1"), Value: []byte("v")}})
	if err != nil {
		t.Fatal(err)
	}
	list, err := topics.List(t.Context(), cl, false)
	if err != nil || len(list) != 5 {
		t.Fatalf("%d topics: %v", len(list), err)
	}
	dlq := topics.Summary{
		Topic: "reminders-dlq", Partitions: 3, ReplicationFactor: 1,
		CleanupPolicy: "delete", RetentionMS: "2592000000", RetentionBytes: "-1", Retention: "30 days",
	}
	equal(t, list[1], dlq)

	ds, err := topics.Describe(t.Context(), cl, []string{"task-events", "reminders-dlq"})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, ds[1].Summary, dlq)
	var records int64
	for i, p := range ds[0].Details {
		records += p.End - p.Start
		equal(t, []any{p.Partition, p.Replicas, p.ISR}, []any{int32(i), []int32{p.Leader}, []int32{p.Leader}})
	}
	equal(t, records, int64(1))
	var retention topics.Config
	for _, c := range ds[0].Configs {
		if c.Key == "retention.ms" {
			retention = c
		}
	}
	equal(t, retention, topics.Config{Key: "retention.ms", Value: "604800000", Source: "DYNAMIC_TOPIC_CONFIG", Type: "LONG"})

	var unknown *kafka.UnknownTopicError
	if _, err := topics.Describe(t.Context(), cl, []string{"task-event"}); !errors.As(err, &unknown) || unknown.Nearest != "task-events" {
		t.Errorf("got %v", err)
	}
}

func TestPlanJSON(t *testing.T) {
	plan := topics.Diff(
		[]topics.Spec{{Name: "a", Partitions: 1, ReplicationFactor: 3}, {Name: "b", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"k": "v"}}},
		topics.State{Cluster: "c1", Brokers: 1, Topics: map[string]topics.Topic{"b": {Partitions: make([]topics.Partition, 2)}}},
	)
	got, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"cluster_id":"c1","steps":[` +
		`{"action":"create_topic","topic":"a","spec":{"name":"a","partitions":1,"replication_factor":1}},` +
		`{"action":"set_config","topic":"b","key":"k","new":"v"}],` +
		`"refusals":[` +
		`{"topic":"b","field":"partitions","want":"1","have":"2","reason":"Kafka can't take partitions away; want as many as there are, or make a new topic"},` +
		`{"topic":"b","field":"replication_factor","want":"1","have":"0","reason":"replicas are not moved here; reassign the partitions with the cluster's own tools"}],` +
		`"stray":[],` +
		`"notes":[{"topics":["a"],"text":"replication factor 3 is wanted, 1 is possible: the cluster has 1 broker"}]}`
	equal(t, string(got), want)
	var back topics.Plan
	if err := json.Unmarshal(got, &back); err != nil {
		t.Fatal(err)
	}
	equal(t, back, plan) // a plan may be kept in a file and applied later
}

func TestRetention(t *testing.T) {
	for in, want := range map[string]string{
		"604800000": "7 days", "86400000": "1 day", "5400000": "90 minutes", "3600000": "1 hour", "1000": "1 second",
		"90000": "90 seconds", "1500": "1500 milliseconds", "0": "0 seconds", "-1": "forever", "x": "x", "": "",
	} {
		if got := topics.Retention(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestDelete(t *testing.T) {
	c, cl := cluster(t, kfake.SeedTopics(1, "a", "b", "c"))
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteTopics}, Topic: "b", Err: kerr.TopicDeletionDisabled})
	seen := requests(c)
	outcome, err := topics.Delete(t.Context(), cl, []string{"a", "b", "missing"})
	equal(t, []bool{outcome["a"] == nil, errors.Is(outcome["b"], kerr.TopicDeletionDisabled), errors.Is(outcome["missing"], kerr.UnknownTopicOrPartition)}, []bool{true, true, true})
	if err == nil || !strings.Contains(err.Error(), `delete topic "b": TOPIC_DELETION_DISABLED`) || !strings.Contains(err.Error(), `delete topic "missing": UNKNOWN`) {
		t.Errorf("got %v", err)
	}
	got := seen()
	equal(t, got["DeleteTopics"], 1)
	list, err := topics.List(t.Context(), cl, false)
	if err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
}
