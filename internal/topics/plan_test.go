package topics_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/topics"
)

// setting is a cluster's state with one topic that has one setting of a type.
func setting(key, kind, value string) topics.State {
	return topics.State{Brokers: 1, Topics: map[string]topics.Topic{"a": {
		Partitions: []topics.Partition{{Replicas: []int32{0}}},
		Configs:    map[string]topics.Config{key: {Key: key, Type: kind, Value: value, Source: "DYNAMIC_TOPIC_CONFIG"}},
	}}}
}

func TestDiffComparesAsTheBrokerDoes(t *testing.T) {
	for _, c := range []struct{ kind, have, want, change string }{
		{"LONG", "5", "+5", ""},
		{"LONG", "5", "6", "set k of a: 5 → 6"},
		{"BOOLEAN", "true", "TRUE", ""},
		{"DOUBLE", "0.5", "0.50", ""},
		{"LIST", "compact,delete", "delete, compact", ""},
		{"LIST", "compact,delete", "compact", "set k of a: compact,delete → compact"},
		{"STRING", "gzip", "GZIP", "set k of a: gzip → GZIP"},
		{"", "5", "05", "set k of a: 5 → 05"},
		{"LONG", "5", "seven", `refused: k takes a whole number, not "seven"`},
		{"INT", "5", "3000000000", `refused: k takes a whole number of 32 bits, not "3000000000"`},
		{"SHORT", "5", "40000", `refused: k takes a whole number of 16 bits, not "40000"`},
		{"BOOLEAN", "true", "yes", `refused: k takes true or false, not "yes"`},
		{"DOUBLE", "0.5", "half", `refused: k takes a number, not "half"`},
	} {
		spec := []topics.Spec{{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"k": c.want}}}
		plan := topics.Diff(spec, setting("k", c.kind, c.have))
		got := strings.Join(words(plan), "\n")
		for _, r := range plan.Refusals {
			got = "refused: " + r.Reason
		}
		if got != c.change {
			t.Errorf("%s %s: got %q, want %q", c.kind, c.want, got, c.change)
		}
	}
}

// No topic is made without a setting that was wanted.
func TestUnknownSettings(t *testing.T) {
	specs := []topics.Spec{
		{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.m": "1"}},
		{Name: "b", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.m": "1", "retention.ms": "x"}},
		{Name: "c", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1"}},
	}
	plan := topics.Diff(specs, setting("retention.ms", "LONG", "1"))
	why := `the cluster's topics have no setting "retention.m"; did you mean "retention.ms"?`
	equal(t, plan.Refusals, []topics.Refusal{
		{Drift: topics.Drift{Topic: "a", Field: "retention.m", Want: "1"}, Reason: why},
		{Drift: topics.Drift{Topic: "b", Field: "topic", Want: "present", Have: "missing"}, Reason: why + `; retention.ms takes a whole number, not "x"`},
	})
	equal(t, plan.Topics(), []string{"c"})
}

func TestStraySettings(t *testing.T) {
	c, cl := cluster(t)
	have := []topics.Spec{
		{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "60000", "max.message.bytes": "2000000", "segment.ms": "3600000"}},
		{Name: "b", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1", "segment.ms": "1"}},
	}
	apply(t, cl, have)
	want := []topics.Spec{
		{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "60000"}},
		{Name: "b", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "2"}},
	}
	plan := topics.Diff(want, read(t, cl, want))
	equal(t, plan.Stray, []topics.Stray{
		{Topic: "a", Key: "max.message.bytes", Value: "2000000"},
		{Topic: "a", Key: "segment.ms", Value: "3600000"},
		{Topic: "b", Key: "segment.ms", Value: "1"},
	})
	equal(t, words(plan), []string{"set retention.ms of b: 1 (1 millisecond) → 2 (2 milliseconds)"})
	plan = plan.Reset()
	equal(t, words(plan)[1], "reset max.message.bytes of a: 2000000 (2 MB) → the broker's default")
	seen := requests(c)
	if _, err := topics.Apply(t.Context(), cl, plan); err != nil {
		t.Fatal(err)
	}
	equal(t, seen(), map[string]int{"IncrementalAlterConfigs": 1})
	after := topics.Diff(want, read(t, cl, want))
	if !after.Empty() || len(after.Stray) > 0 {
		t.Errorf("not empty: %q, %v", words(after), after.Stray)
	}
}

func TestSimilarNames(t *testing.T) {
	_, cl := cluster(t, kfake.SeedTopics(1, "reminder", "task_events", "tsk-updates", "something"))
	specs := topics.Builtin()
	var got []string
	for _, n := range topics.Diff(specs, read(t, cl, specs)).Notes {
		if len(n.Topics) == 1 {
			got = append(got, n.Topics[0]+": "+n.Text)
		}
	}
	equal(t, got, []string{
		`task-events: a topic "task_events" exists, which is spelt nearly the same`,
		`reminders: a topic "reminder" exists, which is spelt nearly the same`,
		`task-updates: a topic "tsk-updates" exists, which is spelt nearly the same`,
	})
}

func TestExpect(t *testing.T) {
	_, cl := cluster(t, kfake.ClusterID("prod"))
	st := read(t, cl, nil)
	if err := errors.Join(st.Expect(""), st.Expect("prod")); err != nil {
		t.Error(err)
	}
	equal(t, st.Expect("test").Error(), `this is cluster "prod", "test" is expected; nothing was done`)
	equal(t, topics.State{}.Expect("test").Error(), `the cluster tells no id, "test" is expected; nothing was done`)
}

func TestCheckAsksTheCluster(t *testing.T) {
	c, cl := cluster(t, kfake.SeedTopics(1, "old", "fine"))
	specs := []topics.Spec{
		{Name: "old", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1"}},
		{Name: "fine", Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1"}},
		{Name: "new", Partitions: 1, ReplicationFactor: 1},
		{Name: "forbidden", Partitions: 1, ReplicationFactor: 1},
	}
	before := read(t, cl, specs)
	plan := topics.Diff(specs, before)
	c.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.IncrementalAlterConfigs}, Resource: "old", Err: kerr.InvalidConfig},
		kfake.Fault{Keys: []kmsg.Key{kmsg.CreateTopics}, Topic: "forbidden", Err: kerr.PolicyViolation},
	)
	checked, err := topics.Check(t.Context(), cl, plan)
	if err != nil {
		t.Fatal(err)
	}
	var why []string
	for _, r := range checked.Refusals {
		why = append(why, r.Topic+" "+r.Field+": "+r.Reason[:strings.Index(r.Reason, ": ")+2]+strings.Fields(r.Reason)[4])
	}
	equal(t, why, []string{
		"old retention.ms: the cluster declines it: INVALID_CONFIG:",
		"forbidden topic: the cluster declines it: POLICY_VIOLATION:",
	})
	equal(t, checked.Topics(), []string{"fine", "new"})
	equal(t, read(t, cl, specs), before) // nothing was done
}

func TestPlanFile(t *testing.T) {
	_, cl := cluster(t, kfake.ClusterID("one"))
	have := []topics.Spec{
		{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "60000", "segment.ms": "1000"}},
		{Name: "b", Partitions: 1, ReplicationFactor: 1},
	}
	apply(t, cl, have)
	want := []topics.Spec{
		{Name: "a", Partitions: 1, ReplicationFactor: 1, Configs: map[string]string{"retention.ms": "1"}},
		{Name: "b", Partitions: 2, ReplicationFactor: 1},
		{Name: "c", Partitions: 1, ReplicationFactor: 1},
	}
	made := topics.Diff(want, read(t, cl, want)).Reset()
	data, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := topics.ParsePlan("p", []byte(strings.Replace(string(data), "{", `{"kind":"topics.plan","version":1,`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, plan, made)
	st := read(t, cl, want)
	if err := plan.Current(st); err != nil {
		t.Error(err)
	}
	if _, err := topics.Apply(t.Context(), cl, plan); err != nil {
		t.Fatal(err)
	}
	equal(t, plan.Current(read(t, cl, want)).Error(), `the cluster has changed since the plan was made; nothing was done, plan again:
  a: retention.ms was 60000 (1 minute), is 1 (1 millisecond) now
  b: partitions was 1, is 2 now
  c: topic was missing, is present now
  a: segment.ms was 1000 (1 second), is 604800000 (7 days) now`)
	equal(t, plan.Current(topics.State{Cluster: "one"}).Error(), `the cluster has changed since the plan was made; nothing was done, plan again:
  a: topic was present, is missing now
  b: topic was present, is missing now
  a: topic was present, is missing now`)
	equal(t, plan.Current(topics.State{Cluster: "two"}).Error(), `the plan is for cluster "one", this is "two"; nothing was done`)
}

func TestParsePlanTakesNothingUnseen(t *testing.T) {
	const head = `{"kind":"topics.plan","version":1,"steps":[`
	for text, want := range map[string]string{
		`nonsense`:    `p: not a plan of 'todoctl topics plan --out': invalid character 'o' in literal null (expecting 'u')`,
		`{}`:          `p: kind "", version 0; this todoctl reads "topics.plan", version 1`,
		head + `]}{}`: `p: something follows the plan`,
		head + `{"action":"drop_topic","topic":"a"}]}`:               `p: step 1: unknown action "drop_topic"`,
		head + `{"action":"create_topic","topic":"a"}]}`:             `p: step 1: create_topic of "a" has no spec of that topic`,
		head + `{"action":"add_partitions","topic":"a","new":"x"}]}`: `p: step 1: add_partitions of "a": "x" is no number of partitions`,
		head + `{"action":"set_config","topic":"a"}]}`:               `p: step 1: set_config of "a" has no key`,
		head + `{"action":"set_config"}]}`:                           `p: step 1: action "set_config" has no topic`,
	} {
		if _, err := topics.ParsePlan("p", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v", text, err)
		}
	}
}

// Whatever is wanted and whatever there was: after the plan was applied, what is
// left is what it refused.
func TestAppliedPlanIsEmpty(t *testing.T) {
	_, cl := cluster(t, kfake.NumBrokers(3))
	values := map[string][]string{
		"retention.ms": {"-1", "60000", "604800000"}, "retention.bytes": {"-1", "1000000"},
		"cleanup.policy": {"delete", "compact", "compact,delete", "delete, compact"}, "max.message.bytes": {"1000", "x"}, "no.such": {"1"},
	}
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 0))
		draw := func() []topics.Spec {
			var specs []topics.Spec
			for i := range 6 {
				if random.IntN(4) == 0 {
					continue
				}
				s := topics.Spec{
					Name:       fmt.Sprintf("topic-%d-%d", seed, i),
					Partitions: random.Int32N(4) + 1, ReplicationFactor: int16(random.IntN(4) + 1), Configs: map[string]string{},
				}
				for _, key := range slices.Sorted(maps.Keys(values)) {
					of := values[key]
					if random.IntN(3) == 0 {
						s.Configs[key] = of[random.IntN(len(of))]
					}
				}
				specs = append(specs, s)
			}
			return specs
		}
		for step := range 3 {
			specs := draw()
			plan := topics.Diff(specs, read(t, cl, specs))
			if step == 2 {
				plan = plan.Reset()
			}
			if _, err := topics.Apply(t.Context(), cl, plan); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			st := read(t, cl, specs)
			again := topics.Diff(specs, st)
			equal(t, again.Steps, []topics.Step{})
			equal(t, again.Refusals, plan.Refusals)
			equal(t, len(topics.Verify(specs, st)), len(again.Refusals))
			equal(t, again.Stray, plan.Stray)
			if t.Failed() {
				t.Fatal("seed " + strconv.FormatUint(seed, 10))
			}
		}
	}
}
