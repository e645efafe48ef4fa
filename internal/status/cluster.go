package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/topics"
)

// brokerAway stands where the broker's own line says why.
const brokerAway = "not known: the broker doesn't answer"

type brokerAnswer struct {
	broker Broker
	topics Topics
}

func (r *reader) seeds() []string {
	seeds, _ := r.Client.OptValue(kgo.SeedBrokers).([]string)
	return seeds
}

func (r *reader) broker(ctx context.Context) brokerAnswer {
	a := brokerAnswer{Broker{Part: well(), Brokers: r.seeds()}, Topics{Part: well(), Wanted: len(r.Specs), Drift: []topics.Drift{}}}
	if err := r.reach(); err != nil {
		problem, _, _ := strings.Cut(oneLine(err), "; start one")
		a.broker.Part = unwell(problem, "todoctl doctor")
		a.topics.Part = unwell(brokerAway, "todoctl doctor")
		return a
	}
	state, err := topics.Read(ctx, r.Client, topics.Names(r.Specs))
	if err != nil {
		a.topics.Part = unwell("not known: "+oneLine(err), "todoctl doctor")
		return a
	}
	a.broker.Cluster, a.broker.Nodes = state.Cluster, state.Brokers
	a.topics.compare(r.Specs, state)
	return a
}

func (t *Topics) compare(specs []topics.Spec, state topics.State) {
	t.Drift = append(t.Drift, topics.Verify(specs, state)...)
	for _, topic := range state.Topics {
		for _, p := range topic.Partitions {
			if p.Leader < 0 {
				t.Offline++
			}
			if len(p.ISR) < len(p.Replicas) {
				t.UnderReplicated++
			}
		}
	}
	switch {
	case t.Offline > 0:
		t.Part = unwell(fmt.Sprintf("%d partitions have no leader", t.Offline), "todoctl topics describe --offline")
	case len(t.Drift) > 0:
		t.Part = unwell(driftWords(t.Drift), "todoctl topics verify")
	case t.UnderReplicated > 0:
		t.Part = unwell(fmt.Sprintf("%d partitions lack a replica in sync", t.UnderReplicated), "todoctl topics describe --under-replicated")
	}
}

// driftWords name the topics that differ.
func driftWords(drift []topics.Drift) string {
	var names []string
	for _, d := range drift {
		if !slices.Contains(names, d.Topic) {
			names = append(names, d.Topic)
		}
	}
	return "not as they should be: " + strings.Join(names, ", ")
}

func (r *reader) groups(ctx context.Context) Groups {
	g := Groups{Part: well(), Groups: []Group{}}
	if r.reach() != nil {
		g.Part = unwell(brokerAway, "todoctl doctor")
		return g
	}
	found, err := groups.List(ctx, r.Client, nil)
	if err != nil {
		g.Part = unwell("not known: "+oneLine(err), "todoctl groups list")
		return g
	}
	var lagging []string
	for _, s := range found {
		g.Groups = append(g.Groups, Group{Group: s.Group, State: s.State, Members: s.Members, Lag: s.TotalLag, OK: true})
		if s.TotalLag != nil && *s.TotalLag > 0 {
			lagging = append(lagging, s.Group)
		}
	}
	g.age(ctx, r.Client, lagging)
	g.judge(r.Options)
	return g
}

// age sets how far the lagging groups are behind in time. What can't be told, such as of
// a group that is gone by now, stays unknown.
func (g *Groups) age(ctx context.Context, client *kgo.Client, lagging []string) {
	for _, name := range lagging {
		found, err := groups.Describe(ctx, client, []string{name}, nil)
		if err != nil {
			continue
		}
		i := slices.IndexFunc(g.Groups, func(g Group) bool { return g.Group == name })
		g.Groups[i].LagSeconds = found[0].LagSeconds
	}
}

// judge finds groups that fall behind. Of one without members nobody can say whether it
// should have some, but for the worker's.
func (g *Groups) judge(o Options) {
	var problems []string
	for i := range g.Groups {
		group := &g.Groups[i]
		if group.Lag == nil || *group.Lag == 0 {
			continue
		}
		idle := group.Members != nil && *group.Members == 0
		switch {
		case idle && group.Group == o.WorkerGroup:
			problems = append(problems, fmt.Sprintf("%s has %d unread and no members", group.Group, *group.Lag))
		case !idle && group.LagSeconds != nil && *group.LagSeconds > o.MaxLagAge.Seconds():
			problems = append(problems, fmt.Sprintf("%s has %d unread, the oldest for %.0f s", group.Group, *group.Lag, *group.LagSeconds))
		default:
			continue
		}
		group.OK = false
	}
	if len(problems) > 0 {
		g.Part = unwell(strings.Join(problems, "; "), "todoctl groups list")
	}
}
