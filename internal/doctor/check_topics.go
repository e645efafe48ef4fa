package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/todoctl/todoctl/internal/topics"
)

// topicChecks are the checks of the topics.
func (s *subject) topicChecks() []Check {
	needs := []string{"broker.reach", "broker.advertised"}
	return []Check{
		{
			ID: "topics.missing", Severity: Error, Title: "the topics exist",
			Symptom: "publishing answers 500 `does not exist on this broker`; a consumer tries again and again", Cause: "topics aren't created by publishing here",
			Mend: "todoctl topics setup", Fixes: true, Needs: needs, Run: s.checkMissing,
		},
		{
			ID: "topics.drift", Severity: Warning, Title: "the topics are as they should be",
			Symptom: "events of a task are out of order after a change, or gone too early", Cause: "a topic was made by itself, with other partitions or settings",
			Mend: "todoctl topics setup", Fixes: true, Needs: needs, Run: s.checkDrift,
		},
		{
			ID: "topics.subscribed", Severity: Error, Title: "the topics of the subscriptions exist",
			Symptom: "the log says that the app is subscribed, and nothing arrives", Cause: "the subscription's topic is misspelt or missing",
			Mend: "correct the topic in the subscription, or create it", Fixes: true, Needs: needs, After: []string{"topics.missing"}, Run: s.checkSubscribed,
		},
		{
			ID: "topics.replication", Severity: Error, Title: "the cluster has brokers enough for its own settings",
			Symptom: "`INVALID_REPLICATION_FACTOR`; consumer groups never form", Cause: "the broker's default of replicas is more than there are brokers",
			Mend: "set offsets.topic.replication.factor and default.replication.factor to the number of brokers", Needs: needs, Run: s.checkReplication,
		},
	}
}

// ours tells whether the cluster is meant to have the stack's topics.
func (s *subject) ours() bool { return !s.Foreign || s.runs() }

type topicsFix struct {
	s    *subject
	plan topics.Plan
}

// Diff has a line for each step.
func (f topicsFix) Diff() string {
	var lines []string
	for _, step := range f.plan.Steps {
		lines = append(lines, "+ "+step.String())
	}
	return strings.Join(lines, "\n")
}

// Apply takes the steps if the cluster is still as it was.
func (f topicsFix) Apply(ctx context.Context) error {
	client, err := f.s.newClient()
	if err != nil {
		return err
	}
	defer client.Close()
	state, err := topics.Read(ctx, client, f.plan.Topics())
	if err != nil {
		return err
	}
	if err := f.plan.Current(state); err != nil {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	_, err = topics.Apply(ctx, client, f.plan)
	return err
}

// plan is what setup would do, reduced to some steps.
func (s *subject) plan(ctx context.Context, keep func(topics.Step) bool) (topics.Plan, topics.State, error) {
	specs := topics.Builtin()
	state, err := topics.Read(ctx, s.client, topics.Names(specs))
	if err != nil {
		return topics.Plan{}, state, err
	}
	plan := topics.Diff(specs, state)
	plan.Steps = slices.DeleteFunc(slices.Clone(plan.Steps), func(step topics.Step) bool { return !keep(step) })
	return plan, state, nil
}

func (s *subject) checkMissing(ctx context.Context) Result {
	if !s.ours() {
		return beside()
	}
	plan, _, err := s.plan(ctx, func(step topics.Step) bool { return step.Action == topics.CreateTopic })
	if err != nil {
		return skipped("topics can't be read: " + err.Error())
	}
	if len(plan.Steps) == 0 {
		return Result{}
	}
	var names []string
	for _, step := range plan.Steps {
		names = append(names, step.Topic)
	}
	f := Finding{
		Message:  fmt.Sprintf("The broker lacks %d of the topics: %s.", len(names), strings.Join(names, ", ")),
		Evidence: facts("broker", strings.Join(s.brokers(), ", "), "missing", strings.Join(names, ", ")),
		Fix:      topicsFix{s, plan},
	}
	for _, note := range plan.Notes {
		if strings.Contains(note.Text, "spelt nearly the same") {
			f.Evidence = append(f.Evidence, Fact{"note", strings.Join(note.Topics, ", ") + ": " + note.Text})
		}
	}
	return found(f)
}

func (s *subject) checkDrift(ctx context.Context) Result {
	if !s.ours() {
		return beside()
	}
	plan, state, err := s.plan(ctx, func(step topics.Step) bool { return step.Action != topics.CreateTopic })
	if err != nil {
		return skipped("topics can't be read: " + err.Error())
	}
	var evidence []Fact
	for _, d := range topics.Verify(topics.Builtin(), state) {
		if d.Field != "topic" {
			evidence = append(evidence, Fact{d.Topic, fmt.Sprintf("%s is %s, wanted %s", d.Field, orNone(d.Have), d.Want)})
		}
	}
	if len(evidence) == 0 {
		return Result{}
	}
	f := Finding{Message: fmt.Sprintf("Topics differ from what they should be in %d places.", len(evidence)), Evidence: evidence}
	if len(plan.Steps) > 0 {
		f.Fix = topicsFix{s, plan}
	} else {
		f.Mend = "todoctl topics verify  (setup doesn't change it: Kafka takes no partitions away)"
	}
	return found(f)
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func (s *subject) checkSubscribed(ctx context.Context) Result {
	var wanted []subscription
	for _, sub := range s.res.subscriptions() {
		if slices.ContainsFunc(s.kafkas(), func(c component) bool { return c.name == sub.pubsub }) && sub.topic != "" {
			wanted = append(wanted, sub)
		}
	}
	if len(wanted) == 0 {
		return beside()
	}
	have, err := kadm.NewClient(s.client).ListTopics(ctx)
	if err != nil {
		return skipped("topics can't be read: " + err.Error())
	}
	builtin := topics.Names(topics.Builtin())
	var r Result
	for _, sub := range wanted {
		if have.Has(sub.topic) || (s.ours() && slices.Contains(builtin, sub.topic)) || s.creates(ctx) {
			continue
		}
		node := lookup(sub.root, "spec", "topic")
		f := Finding{
			Message:  fmt.Sprintf("Subscription %s is to the topic %q, which the broker doesn't have.", quoted(sub.name), sub.topic),
			Evidence: facts("at", sub.at(node), "found", sub.topic, "broker", strings.Join(s.brokers(), ", ")),
		}
		if near := nearestFew(sub.topic, have.Names()); near != "" {
			f.Mend, f.Fix = "write topic: "+near, s.edit(sub.document, node, near)
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// creates tells whether the broker makes topics by itself.
func (s *subject) creates(ctx context.Context) bool {
	return s.brokerSetting(ctx, "auto.create.topics.enable") == "true"
}

// brokerSetting is a setting of the first broker, "" when it doesn't tell.
func (s *subject) brokerSetting(ctx context.Context, key string) string {
	admin := kadm.NewClient(s.client)
	meta, err := admin.BrokerMetadata(ctx)
	if err != nil || len(meta.Brokers) == 0 {
		return ""
	}
	found, err := admin.DescribeBrokerConfigs(ctx, meta.Brokers[0].NodeID)
	if err != nil {
		return ""
	}
	for _, resource := range found {
		for _, c := range resource.Configs {
			if c.Key == key {
				return c.MaybeValue()
			}
		}
	}
	return ""
}

func (s *subject) checkReplication(ctx context.Context) Result {
	admin := kadm.NewClient(s.client)
	meta, err := admin.Metadata(ctx, "__consumer_offsets")
	if err != nil {
		return skipped("the brokers can't be listed: " + err.Error())
	}
	if t, ok := meta.Topics["__consumer_offsets"]; ok && t.Err == nil && len(t.Partitions) > 0 {
		return Result{} // groups can form
	}
	const key = "offsets.topic.replication.factor"
	var factor int
	if n, _ := fmt.Sscan(s.brokerSetting(ctx, key), &factor); n == 0 || factor <= len(meta.Brokers) {
		return Result{}
	}
	return found(Finding{
		Message:  fmt.Sprintf("The broker wants %d replicas of the topic of consumer offsets, and the cluster has %d brokers, so no consumer group can form.", factor, len(meta.Brokers)),
		Evidence: facts("found", fmt.Sprintf("%s = %d", key, factor), "brokers", fmt.Sprint(len(meta.Brokers))),
	})
}
