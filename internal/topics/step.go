package topics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An Action is a kind of Step.
type Action string

// The actions, in the order in which Apply takes them.
const (
	CreateTopic   Action = "create_topic"
	AddPartitions Action = "add_partitions"
	SetConfig     Action = "set_config"
	ResetConfig   Action = "reset_config"
)

// A Step is one change to make. Spec is set for CreateTopic; Key for SetConfig and
// ResetConfig; Old and New for all but CreateTopic: the number of partitions, or the
// value of Key. ResetConfig leaves New to the broker.
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
		return "create topic " + s.Topic + ": " + s.Change()
	case AddPartitions:
		return "add partitions to " + s.Topic + ": " + s.Change()
	case ResetConfig:
		return fmt.Sprintf("reset %s of %s: %s", s.Key, s.Topic, s.Change())
	default:
		return fmt.Sprintf("set %s of %s: %s", s.Key, s.Topic, s.Change())
	}
}

// Change is what was and what will be, old → new; of a new topic all that it gets.
func (s Step) Change() string {
	switch s.Action {
	case CreateTopic:
		words := []string{
			counted(int(s.Spec.Partitions), "partition"),
			fmt.Sprintf("replication factor %d", s.Spec.ReplicationFactor),
		}
		for _, key := range slices.Sorted(maps.Keys(s.Spec.Configs)) {
			words = append(words, key+"="+show(key, s.Spec.Configs[key]))
		}
		return strings.Join(words, ", ")
	case AddPartitions:
		return s.Old + " → " + s.New
	case ResetConfig:
		return show(s.Key, s.Old) + " → the broker's default"
	default:
		return show(s.Key, s.Old) + " → " + show(s.Key, s.New)
	}
}

// doing is what the step does, for an error.
func (s Step) doing() string {
	switch s.Action {
	case CreateTopic:
		return fmt.Sprintf("create topic %q", s.Topic)
	case AddPartitions:
		return fmt.Sprintf("add partitions to topic %q", s.Topic)
	case ResetConfig:
		return fmt.Sprintf("reset %s of topic %q", s.Key, s.Topic)
	default:
		return fmt.Sprintf("set %s of topic %q", s.Key, s.Topic)
	}
}

// drift is the difference that the step takes away.
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
