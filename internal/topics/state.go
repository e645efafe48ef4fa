package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A State is what a cluster has.
type State struct {
	Cluster string           // its id; empty where it tells none
	Brokers int              // that are up
	Topics  map[string]Topic // those asked for that exist, by name
	Others  []string         // other topics, sorted; read only when one that was asked for doesn't exist
}

// A Topic is a topic as it is.
type Topic struct {
	Internal   bool
	Partitions []Partition       // by number
	Configs    map[string]Config // by key
}

// A Config is a setting of a topic.
type Config struct {
	Key       string `json:"key"`
	Value     string `json:"value"` // empty when it is sensitive
	Source    string `json:"source"`
	Type      string `json:"type,omitempty"` // such as LONG; empty where the broker tells none
	Sensitive bool   `json:"sensitive,omitempty"`
}

// replicationFactor is that of the first partition, as Kafka's own tools have it.
func (t Topic) replicationFactor() int16 {
	if len(t.Partitions) == 0 {
		return 0
	}
	return int16(len(t.Partitions[0].Replicas))
}

// Read asks the cluster for the named topics: one metadata request, and one for the
// settings of those that exist. When one doesn't exist, another metadata request
// lists the names there are. It never creates a topic.
func Read(ctx context.Context, cl *kgo.Client, names []string) (State, error) {
	if len(names) == 0 {
		names = []string{}
	}
	st, err := read(ctx, cl, names, nil)
	if err != nil || len(st.Topics) == len(names) {
		return st, err
	}
	resp, err := requestMetadata(ctx, cl, nil)
	if err != nil {
		return State{}, err
	}
	for _, t := range resp.Topics {
		if t.Topic != nil && !t.IsInternal && !slices.Contains(names, *t.Topic) {
			st.Others = append(st.Others, *t.Topic)
		}
	}
	slices.Sort(st.Others)
	return st, nil
}

// Expect returns an error when the state is of another cluster than the one with
// this id. An empty id is any.
func (st State) Expect(cluster string) error {
	switch {
	case cluster == "" || cluster == st.Cluster:
		return nil
	case st.Cluster == "":
		return fmt.Errorf("the cluster tells no id, %q is expected; nothing was done", cluster)
	default:
		return fmt.Errorf("this is cluster %q, %q is expected; nothing was done", st.Cluster, cluster)
	}
}

// read reads the named topics, or all when names is nil, with the settings of the
// given keys, or all when keys is nil.
func read(ctx context.Context, cl *kgo.Client, names, keys []string) (State, error) {
	resp, err := requestMetadata(ctx, cl, names)
	if err != nil {
		return State{}, err
	}
	st := State{Brokers: len(resp.Brokers), Topics: make(map[string]Topic, len(resp.Topics))}
	if resp.ClusterID != nil {
		st.Cluster = *resp.ClusterID
	}
	var errs []error
	for _, t := range resp.Topics {
		if t.Topic == nil {
			continue
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case err == nil:
			st.Topics[*t.Topic] = topicOf(t)
		case kafka.Absent(err):
		default:
			errs = append(errs, fmt.Errorf("read metadata of topic %q: %w", *t.Topic, err))
		}
	}
	errs = append(errs, st.readConfigs(ctx, cl, keys))
	return st, errors.Join(errs...)
}

func requestMetadata(ctx context.Context, cl *kgo.Client, names []string) (*kmsg.MetadataResponse, error) {
	req := kmsg.NewPtrMetadataRequest()
	if names != nil {
		req.Topics = make([]kmsg.MetadataRequestTopic, 0, len(names))
	}
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return resp, nil
}

func topicOf(t kmsg.MetadataResponseTopic) Topic {
	topic := Topic{Internal: t.IsInternal, Configs: make(map[string]Config)}
	for _, p := range t.Partitions {
		topic.Partitions = append(topic.Partitions, Partition{
			Partition: p.Partition, Leader: p.Leader,
			Replicas: p.Replicas, ISR: p.ISR, Offline: p.OfflineReplicas,
		})
	}
	slices.SortFunc(topic.Partitions, func(a, b Partition) int { return int(a.Partition - b.Partition) })
	return topic
}

func (st State) readConfigs(ctx context.Context, cl *kgo.Client, keys []string) error {
	if len(st.Topics) == 0 {
		return nil
	}
	req := kmsg.NewPtrDescribeConfigsRequest()
	for name := range st.Topics {
		r := kmsg.NewDescribeConfigsRequestResource()
		r.ResourceType, r.ResourceName, r.ConfigNames = kmsg.ConfigResourceTypeTopic, name, keys
		req.Resources = append(req.Resources, r)
	}
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	var errs []error
	for _, r := range resp.Resources {
		if err := answer(r.ErrorCode, r.ErrorMessage); err != nil {
			errs = append(errs, fmt.Errorf("read settings of topic %q: %w", r.ResourceName, err))
			continue
		}
		for _, c := range r.Configs {
			st.Topics[r.ResourceName].Configs[c.Name] = configOf(c)
		}
	}
	return errors.Join(errs...)
}

func configOf(c kmsg.DescribeConfigsResponseResourceConfig) Config {
	config := Config{Key: c.Name, Source: c.Source.String(), Sensitive: c.IsSensitive}
	if c.Value != nil {
		config.Value = *c.Value
	}
	if c.ConfigType != kmsg.ConfigTypeUnknown {
		config.Type = c.ConfigType.String()
	}
	return config
}

// answer is the error of one item of a response, with the broker's own words.
func answer(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err != nil && message != nil && *message != "" {
		return fmt.Errorf("%w (%s)", err, *message)
	}
	return err
}
