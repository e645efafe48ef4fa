package topics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/spelling"
)

// A Drift is a difference between what is wanted and what there is. Field is
// "topic" for a topic that is missing, "partitions", "replication_factor", or the
// key of a setting.
type Drift struct {
	Topic string `json:"topic"`
	Field string `json:"field"`
	Want  string `json:"want"`
	Have  string `json:"have"`
}

// A Refusal is a difference that is not applied.
type Refusal struct {
	Drift
	Reason string `json:"reason"`
}

// A Note tells of something that is neither a change nor a difference.
type Note struct {
	Topics []string `json:"topics"`
	Text   string   `json:"text"`
}

// A Stray is a setting that is set on a topic although no Spec names it.
type Stray struct {
	Topic string `json:"topic"`
	Key   string `json:"key"`
	Value string `json:"value"`
}

// String is the setting in words.
func (s Stray) String() string {
	return fmt.Sprintf("%s is set on %s and not in the spec: %s", s.Key, s.Topic, s.Shown())
}

// Shown is the value for people.
func (s Stray) Shown() string { return show(s.Key, s.Value) }

// A Plan is what it takes to make a cluster as wanted.
type Plan struct {
	Cluster  string    `json:"cluster_id"` // of the cluster that it is for
	Steps    []Step    `json:"steps"`
	Refusals []Refusal `json:"refusals"`
	Stray    []Stray   `json:"stray"`
	Notes    []Note    `json:"notes"`
}

// Empty tells whether all is as wanted: nothing to do and nothing refused.
func (p Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Refusals) == 0 }

// Diff compares what is wanted with what there is. The steps are in the order of
// the specs, the keys of a topic sorted. What can be told to fail beforehand is
// refused: a setting that no topic of the cluster has, and a value that its type
// doesn't take.
func Diff(specs []Spec, st State) Plan {
	p := Plan{
		Cluster: st.Cluster, Steps: []Step{}, Refusals: []Refusal{}, Stray: []Stray{},
		Notes: append(capped(specs, st.Brokers), similar(specs, st)...),
	}
	types := st.types()
	for _, s := range specs {
		have, ok := st.Topics[s.Name]
		if !ok {
			p.diffMissing(s, st.Brokers, types)
			continue
		}
		p.diffPartitions(s, have)
		p.diffReplicas(s, have, st.Brokers)
		p.diffConfigs(s, have, types)
		p.findStray(s, have)
	}
	return p
}

// diffMissing creates no topic without a setting that was wanted.
func (p *Plan) diffMissing(s Spec, brokers int, types map[string]string) {
	made := s
	made.ReplicationFactor = allowed(s, brokers)
	step := Step{Action: CreateTopic, Topic: s.Name, Spec: &made}
	var reasons []string
	for _, key := range slices.Sorted(maps.Keys(s.Configs)) {
		if why := unacceptable(key, s.Configs[key], types); why != "" {
			reasons = append(reasons, why)
		}
	}
	if len(reasons) > 0 {
		p.Refusals = append(p.Refusals, Refusal{Drift: step.drift(), Reason: strings.Join(reasons, "; ")})
		return
	}
	p.Steps = append(p.Steps, step)
}

func (p *Plan) diffConfigs(s Spec, have Topic, types map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(s.Configs)) {
		old, want := have.Configs[key].Value, s.Configs[key]
		if equal(types[key], old, want) {
			continue
		}
		step := Step{Action: SetConfig, Topic: s.Name, Key: key, Old: old, New: want}
		if why := unacceptable(key, want, types); why != "" {
			p.Refusals = append(p.Refusals, Refusal{Drift: step.drift(), Reason: why})
			continue
		}
		p.Steps = append(p.Steps, step)
	}
}

func (p *Plan) findStray(s Spec, have Topic) {
	for _, key := range slices.Sorted(maps.Keys(have.Configs)) {
		c := have.Configs[key]
		if _, wanted := s.Configs[key]; !wanted && c.Source == kmsg.ConfigSourceDynamicTopicConfig.String() {
			p.Stray = append(p.Stray, Stray{Topic: s.Name, Key: key, Value: c.Value})
		}
	}
}

// Reset returns the plan with steps that take the stray settings off.
func (p Plan) Reset() Plan {
	p.Steps = slices.Clone(p.Steps)
	for _, s := range p.Stray {
		p.Steps = append(p.Steps, Step{Action: ResetConfig, Topic: s.Topic, Key: s.Key, Old: s.Value})
	}
	p.Stray = []Stray{}
	return p
}

func (p *Plan) diffPartitions(s Spec, have Topic) {
	n := int32(len(have.Partitions))
	want, has := strconv.Itoa(int(s.Partitions)), strconv.Itoa(int(n))
	switch {
	case n < s.Partitions:
		p.Steps = append(p.Steps, Step{Action: AddPartitions, Topic: s.Name, Old: has, New: want})
	case n > s.Partitions:
		p.Refusals = append(p.Refusals, Refusal{
			Drift:  Drift{Topic: s.Name, Field: "partitions", Want: want, Have: has},
			Reason: "Kafka can't take partitions away; want as many as there are, or make a new topic",
		})
	}
}

// diffReplicas takes any factor from what the brokers that are up allow to what is
// wanted: a broker that is down doesn't make a topic drift.
func (p *Plan) diffReplicas(s Spec, have Topic, brokers int) {
	if rf := have.replicationFactor(); rf < allowed(s, brokers) || rf > s.ReplicationFactor {
		p.Refusals = append(p.Refusals, Refusal{
			Drift: Drift{
				Topic: s.Name, Field: "replication_factor",
				Want: strconv.Itoa(int(allowed(s, brokers))), Have: strconv.Itoa(int(rf)),
			},
			Reason: "replicas are not moved here; reassign the partitions with the cluster's own tools",
		})
	}
}

// allowed is the replication factor that is possible with so many brokers.
func allowed(s Spec, brokers int) int16 {
	return min(s.ReplicationFactor, int16(max(brokers, 1)))
}

// capped notes which topics can't have the replication factor wanted.
func capped(specs []Spec, brokers int) []Note {
	notes := []Note{}
	for _, s := range specs {
		if allowed(s, brokers) == s.ReplicationFactor {
			continue
		}
		text := fmt.Sprintf("replication factor %d is wanted, %d is possible: the cluster has %s",
			s.ReplicationFactor, allowed(s, brokers), counted(brokers, "broker"))
		i := slices.IndexFunc(notes, func(n Note) bool { return n.Text == text })
		if i < 0 {
			notes = append(notes, Note{Text: text})
			i = len(notes) - 1
		}
		notes[i].Topics = append(notes[i].Topics, s.Name)
	}
	return notes
}

// similar notes which topics that are missing have nearly the name of another.
func similar(specs []Spec, st State) []Note {
	var notes []Note
	for _, s := range specs {
		if _, ok := st.Topics[s.Name]; ok {
			continue
		}
		for _, other := range st.Others {
			if n := spelling.Distance(s.Name, other); n <= 2 && n < len(s.Name) {
				notes = append(notes, Note{Topics: []string{s.Name}, Text: fmt.Sprintf("a topic %q exists, which is spelt nearly the same", other)})
			}
		}
	}
	return notes
}

// Verify returns every difference between what is wanted and what there is, in the
// order of the specs; none means that the cluster is as wanted.
func Verify(specs []Spec, st State) []Drift {
	drifts := []Drift{}
	for _, s := range specs {
		plan := Diff([]Spec{s}, st)
		for _, step := range plan.Steps {
			drifts = append(drifts, step.drift())
		}
		for _, r := range plan.Refusals {
			drifts = append(drifts, r.Drift)
		}
	}
	return drifts
}
