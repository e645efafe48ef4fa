// Package topics keeps topics as code: it reads what a cluster has, compares that
// with what is wanted, and applies the difference.
//
// Guarantees: a Plan is a value, and Apply does what the plan says and nothing else;
// no plan deletes or shrinks a topic; settings that no Spec names are left alone,
// unless Reset says otherwise; a plan that was applied whole is empty when it is made
// again, but for what it refused. Each phase is one request for all topics, and a
// failing topic doesn't keep the others from being done.
//
// It doesn't ask for confirmation, doesn't move replicas, and doesn't know what the
// topics are for, but for the names in Builtin.
package topics

import (
	"strconv"
	"time"
)

// A Spec is a topic as wanted.
type Spec struct {
	Name              string            `json:"name"`
	Partitions        int32             `json:"partitions"`
	ReplicationFactor int16             `json:"replication_factor"` // at most one replica a broker is made
	Configs           map[string]string `json:"configs,omitempty"`  // others stay as they are
}

// Builtin returns the topics of the event stack: three of events, kept for 7 days,
// and two of dead letters, kept for 30.
func Builtin() []Spec {
	const day = 24 * time.Hour
	return []Spec{
		builtin("task-events", 7*day),
		builtin("reminders", 7*day),
		builtin("task-updates", 7*day),
		builtin("task-events-dlq", 30*day),
		builtin("reminders-dlq", 30*day),
	}
}

func builtin(name string, retention time.Duration) Spec {
	return Spec{
		Name: name, Partitions: 3, ReplicationFactor: 3,
		Configs: map[string]string{
			"cleanup.policy": "delete",
			"retention.ms":   strconv.FormatInt(retention.Milliseconds(), 10),
		},
	}
}

// Names returns the names of the specs in their order.
func Names(specs []Spec) []string {
	names := make([]string, len(specs))
	for i, s := range specs {
		names[i] = s.Name
	}
	return names
}
