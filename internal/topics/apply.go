package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Result is what became of a step.
type Result struct {
	Step
	Err    error  `json:"-"`
	Reason string `json:"error,omitempty"` // of Err
}

// Apply takes the steps of the plan: one request for all topics to create, one for
// all partitions to add, one for all settings. It returns when what it has created
// or enlarged has leaders, at most 10 s later. The results are in the order of the
// steps; the error joins every failure, each with the topic's name, and what didn't
// fail is done. A topic that somebody else has created in the meantime is as good if
// it is as wanted. Refusals are not its business.
func Apply(ctx context.Context, cl *kgo.Client, p Plan) ([]Result, error) {
	a := applying{cl: cl, errs: make([]error, len(p.Steps)), steps: p.Steps}
	a.all(ctx)
	a.await(ctx)

	results := make([]Result, len(p.Steps))
	var failed []error
	for i, step := range p.Steps {
		results[i] = Result{Step: step}
		if err := a.errs[i]; err != nil {
			results[i].Err, results[i].Reason = err, err.Error()
			failed = append(failed, fmt.Errorf("%s: %w", step.doing(), err))
		}
	}
	return results, errors.Join(failed...)
}

// Check asks the cluster whether it would take the steps, without taking any, in as
// many requests as Apply. The steps that it declines are refusals of the plan
// returned, with the cluster's reason.
func Check(ctx context.Context, cl *kgo.Client, p Plan) (Plan, error) {
	a := applying{cl: cl, errs: make([]error, len(p.Steps)), steps: p.Steps, only: true}
	a.all(ctx)
	checked := p
	checked.Steps, checked.Refusals = []Step{}, slices.Clone(p.Refusals)
	for i, step := range p.Steps {
		var declined *kerr.Error
		switch err := a.errs[i]; {
		case err == nil:
			checked.Steps = append(checked.Steps, step)
		case errors.As(err, &declined):
			checked.Refusals = append(checked.Refusals, Refusal{Drift: step.drift(), Reason: "the cluster declines it: " + err.Error()})
		default:
			return Plan{}, fmt.Errorf("check the plan: %s: %w", step.doing(), err)
		}
	}
	return checked, nil
}

// applying is one run of Apply or Check; errs holds the failures by the index of the
// step.
type applying struct {
	cl    *kgo.Client
	steps []Step
	errs  []error
	only  bool // validate only
}

func (a applying) all(ctx context.Context) {
	a.take(ctx, a.create, CreateTopic)
	a.take(ctx, a.enlarge, AddPartitions)
	a.take(ctx, a.configure, SetConfig, ResetConfig)
}

// An answers function makes one request and returns the outcome by topic.
type answers func(ctx context.Context, steps []Step) (map[string]error, error)

var errNoAnswer = errors.New("the cluster left it out of its answer")

func (a applying) take(ctx context.Context, request answers, actions ...Action) {
	var steps []Step
	for _, s := range a.steps {
		if slices.Contains(actions, s.Action) {
			steps = append(steps, s)
		}
	}
	if len(steps) == 0 {
		return
	}
	outcome, err := request(ctx, steps)
	for i, s := range a.steps {
		if !slices.Contains(actions, s.Action) {
			continue
		}
		one, ok := outcome[s.Topic]
		switch {
		case err != nil:
			a.errs[i] = err
		case !ok:
			a.errs[i] = errNoAnswer
		default:
			a.errs[i] = one
		}
	}
}

func (a applying) create(ctx context.Context, steps []Step) (map[string]error, error) {
	req := kmsg.NewPtrCreateTopicsRequest()
	req.TimeoutMillis, req.ValidateOnly = int32(visibleWithin.Milliseconds()), a.only
	for _, s := range steps {
		t := kmsg.NewCreateTopicsRequestTopic()
		t.Topic, t.NumPartitions, t.ReplicationFactor = s.Topic, s.Spec.Partitions, s.Spec.ReplicationFactor
		for key, value := range s.Spec.Configs {
			c := kmsg.NewCreateTopicsRequestTopicConfig()
			c.Name, c.Value = key, kmsg.StringPtr(value)
			t.Configs = append(t.Configs, c)
		}
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return nil, err
	}
	outcome := make(map[string]error, len(steps))
	for _, t := range resp.Topics {
		outcome[t.Topic] = answer(t.ErrorCode, t.ErrorMessage)
	}
	for _, s := range steps {
		if errors.Is(outcome[s.Topic], kerr.TopicAlreadyExists) {
			outcome[s.Topic] = a.accept(ctx, *s.Spec)
		}
	}
	return outcome, nil
}

// accept returns nil if the topic that somebody else has created is as wanted.
func (a applying) accept(ctx context.Context, s Spec) error {
	st, err := Read(ctx, a.cl, []string{s.Name})
	if err != nil {
		return err
	}
	if drifts := Verify([]Spec{s}, st); len(drifts) > 0 {
		d := drifts[0]
		return fmt.Errorf("somebody else has created it meanwhile with %s %s, wanted is %s; plan again", d.Field, d.Have, d.Want)
	}
	return nil
}

func (a applying) enlarge(ctx context.Context, steps []Step) (map[string]error, error) {
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis, req.ValidateOnly = int32(visibleWithin.Milliseconds()), a.only
	for _, s := range steps {
		n, err := strconv.ParseInt(s.New, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("read the number of partitions of topic %q: %w", s.Topic, err)
		}
		t := kmsg.NewCreatePartitionsRequestTopic()
		t.Topic, t.Count = s.Topic, int32(n)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return nil, err
	}
	outcome := make(map[string]error, len(steps))
	for _, t := range resp.Topics {
		outcome[t.Topic] = answer(t.ErrorCode, t.ErrorMessage)
	}
	return outcome, nil
}

func (a applying) configure(ctx context.Context, steps []Step) (map[string]error, error) {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	req.ValidateOnly = a.only
	for _, s := range steps {
		i := slices.IndexFunc(req.Resources, func(r kmsg.IncrementalAlterConfigsRequestResource) bool { return r.ResourceName == s.Topic })
		if i < 0 {
			r := kmsg.NewIncrementalAlterConfigsRequestResource()
			r.ResourceType, r.ResourceName = kmsg.ConfigResourceTypeTopic, s.Topic
			req.Resources = append(req.Resources, r)
			i = len(req.Resources) - 1
		}
		c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		c.Name, c.Value, c.Op = s.Key, kmsg.StringPtr(s.New), kmsg.IncrementalAlterConfigOpSet
		if s.Action == ResetConfig {
			c.Value, c.Op = nil, kmsg.IncrementalAlterConfigOpDelete
		}
		req.Resources[i].Configs = append(req.Resources[i].Configs, c)
	}
	resp, err := req.RequestWith(ctx, a.cl)
	if err != nil {
		return nil, err
	}
	outcome := make(map[string]error, len(steps))
	for _, r := range resp.Resources {
		outcome[r.ResourceName] = answer(r.ErrorCode, r.ErrorMessage)
	}
	return outcome, nil
}
