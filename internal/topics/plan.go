package topics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An Action is a kind of Step.
type Action string

// The actions, in the order in which Apply takes them.
const (
	CreateTopic   Action = "create_topic"
	AddPartitions Action = "add_partitions"
	SetConfig     Action = "set_config"
)

// A Step is one change to make. Spec is set for CreateTopic; Key for SetConfig; Old
// and New for the other two: the number of partitions, or the value of Key.
type Step struct {
	Action Action `json:"action"`
	Topic  string `json:"topic"`
	Spec   *Spec  `json:"spec,omitempty"` // with the replication factor that the cluster allows
	Key    string `json:"key,omitempty"`
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
}

// String is the step in words.
func (s Step) String() string {
	switch s.Action {
	case CreateTopic:
		words := []string{
			fmt.Sprintf("create topic %s: %d partitions, replication factor %d", s.Topic, s.Spec.Partitions, s.Spec.ReplicationFactor),
		}
		for _, key := range slices.Sorted(maps.Keys(s.Spec.Configs)) {
			words = append(words, key+"="+show(key, s.Spec.Configs[key]))
		}
		return strings.Join(words, ", ")
	case AddPartitions:
		return fmt.Sprintf("add partitions to %s: %s → %s", s.Topic, s.Old, s.New)
	default:
		return fmt.Sprintf("set %s of %s: %s → %s", s.Key, s.Topic, show(s.Key, s.Old), show(s.Key, s.New))
	}
}

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

// A Plan is what it takes to make a cluster as wanted.
type Plan struct {
	Steps    []Step    `json:"steps"`
	Refusals []Refusal `json:"refusals"`
	Notes    []Note    `json:"notes"`
}

// Empty tells whether all is as wanted: nothing to do and nothing refused.
func (p Plan) Empty() bool { return len(p.Steps) == 0 && len(p.Refusals) == 0 }

// Diff compares what is wanted with what there is. The steps are in the order of
// the specs, the keys of a topic sorted.
func Diff(specs []Spec, st State) Plan {
	p := Plan{Steps: []Step{}, Refusals: []Refusal{}, Notes: capped(specs, st.Brokers)}
	for _, s := range specs {
		have, ok := st.Topics[s.Name]
		if !ok {
			made := s
			made.ReplicationFactor = allowed(s, st.Brokers)
			p.Steps = append(p.Steps, Step{Action: CreateTopic, Topic: s.Name, Spec: &made})
			continue
		}
		p.diffPartitions(s, have)
		p.diffReplicas(s, have, st.Brokers)
		for _, key := range slices.Sorted(maps.Keys(s.Configs)) {
			if old := have.Configs[key].Value; old != s.Configs[key] {
				p.Steps = append(p.Steps, Step{Action: SetConfig, Topic: s.Name, Key: key, Old: old, New: s.Configs[key]})
			}
		}
	}
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

func (s Step) drift() Drift {
	d := Drift{Topic: s.Topic, Field: s.Key, Want: s.New, Have: s.Old}
	switch s.Action {
	case CreateTopic:
		d.Field, d.Want, d.Have = "topic", "present", "missing"
	case AddPartitions:
		d.Field = "partitions"
	default:
	}
	return d
}
