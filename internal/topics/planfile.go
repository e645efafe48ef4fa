package topics

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// PlanKind and PlanVersion mark a plan that is kept as JSON.
const (
	PlanKind    = "topics.plan"
	PlanVersion = 1
)

// ParsePlan reads a plan as 'topics plan' writes it: the JSON of a Plan with "kind"
// and "version". Nothing of it that Apply relies on is taken unseen.
func ParsePlan(name string, data []byte) (Plan, error) {
	var f struct {
		Kind    string `json:"kind"`
		Version int    `json:"version"`
		Plan
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&f); err != nil {
		return Plan{}, fmt.Errorf("%s: not a plan of 'todoctl topics plan --out': %w", name, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Plan{}, fmt.Errorf("%s: something follows the plan", name)
	}
	if f.Kind != PlanKind || f.Version != PlanVersion {
		return Plan{}, fmt.Errorf("%s: kind %q, version %d; this todoctl reads %q, version %d", name, f.Kind, f.Version, PlanKind, PlanVersion)
	}
	for i, s := range f.Steps {
		if err := s.check(); err != nil {
			return Plan{}, fmt.Errorf("%s: step %d: %w", name, i+1, err)
		}
	}
	return f.Plan, nil
}

func (s Step) check() error {
	if s.Topic == "" {
		return fmt.Errorf("action %q has no topic", s.Action)
	}
	switch s.Action {
	case CreateTopic:
		if s.Spec == nil || s.Spec.Name != s.Topic {
			return fmt.Errorf("%s of %q has no spec of that topic", s.Action, s.Topic)
		}
	case AddPartitions:
		if n, err := strconv.ParseInt(s.New, 10, 32); err != nil || n < 1 {
			return fmt.Errorf("%s of %q: %q is no number of partitions", s.Action, s.Topic, s.New)
		}
	case SetConfig, ResetConfig:
		if s.Key == "" {
			return fmt.Errorf("%s of %q has no key", s.Action, s.Topic)
		}
	default:
		return fmt.Errorf("unknown action %q", s.Action)
	}
	return nil
}

// Topics returns the names of the topics that the steps touch, each once, in their
// order.
func (p Plan) Topics() []string {
	names := []string{}
	seen := make(map[string]bool)
	for _, s := range p.Steps {
		if !seen[s.Topic] {
			seen[s.Topic] = true
			names = append(names, s.Topic)
		}
	}
	return names
}

// A StaleError says that a cluster isn't any more as it was when a plan was made.
// Want is what the plan found, Have what there is.
type StaleError struct {
	Changed []Drift
}

func (e *StaleError) Error() string {
	lines := []string{"the cluster has changed since the plan was made; nothing was done, plan again:"}
	for _, d := range e.Changed {
		lines = append(lines, fmt.Sprintf("  %s: %s was %s, is %s now", d.Topic, d.Field, show(d.Field, d.Want), show(d.Field, d.Have)))
	}
	return strings.Join(lines, "\n")
}

// Current returns an error when the plan is for another cluster than the state's, or
// a *StaleError when something that a step changes is not as the plan found it. The
// state is of the plan's topics at least.
func (p Plan) Current(st State) error {
	if p.Cluster != st.Cluster {
		return fmt.Errorf("the plan is for cluster %q, this is %q; nothing was done", p.Cluster, st.Cluster)
	}
	var changed []Drift
	for _, s := range p.Steps {
		d := s.found()
		topic, exists := st.Topics[s.Topic]
		switch {
		case !exists:
			d.Field, d.Want, d.Have = "topic", "present", "missing"
			if s.Action == CreateTopic {
				continue
			}
		case s.Action == CreateTopic:
			d.Have = "present"
		case s.Action == AddPartitions:
			d.Have = strconv.Itoa(len(topic.Partitions))
		default:
			d.Have = topic.Configs[s.Key].Value
		}
		if d.Have != d.Want {
			changed = append(changed, d)
		}
	}
	if len(changed) > 0 {
		return &StaleError{Changed: changed}
	}
	return nil
}

// found is what the step is to change, as the plan found it.
func (s Step) found() Drift {
	d := s.drift()
	d.Want = s.Old
	if s.Action == CreateTopic {
		d.Want = "missing"
	}
	return d
}
