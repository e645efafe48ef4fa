// Package groups tells how far consumer groups have read, in records and in time,
// and moves their committed offsets.
//
// Guarantees: reading changes nothing. A seek writes nothing when anything about it
// is wrong, nor while the group has members, nor after its offsets have moved since
// the plan was made; it is one commit request, and what it reports is read back from
// the group.
//
// It doesn't join groups and doesn't reassign partitions. Share groups (KIP-932),
// which have no committed offsets of this kind, are only listed.
package groups

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A Group is a consumer group as its coordinator tells of it.
type Group struct {
	Group        string   `json:"group"`
	State        string   `json:"state"`         // Empty, Stable, Dead and so on, in Kafka's words
	Type         string   `json:"type"`          // classic, consumer (KIP-848) or share
	ProtocolType string   `json:"protocol_type"` // "consumer" where members consume; empty when offsets were only committed from outside
	Balancer     string   `json:"balancer"`
	Coordinator  int32    `json:"coordinator"` // node id
	Members      []Member `json:"members"`
}

// A Member is a consumer in a group.
type Member struct {
	ID         string `json:"member_id"`
	InstanceID string `json:"instance_id,omitempty"` // of a static member
	ClientID   string `json:"client_id"`
	Host       string `json:"host"`
	Partitions int    `json:"partitions"` // assigned to it

	assigned kadm.TopicsSet
	topics   []string // that it wants
}

const (
	stateEmpty = "Empty"
	stateDead  = "Dead"

	typeClassic  = "classic"
	typeConsumer = "consumer"
	typeShare    = "share"
)

// States are the words that Kafka has for the state of a group of any type.
func States() []string {
	return []string{"Stable", stateEmpty, stateDead, "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "NotReady"}
}

// An UnknownGroupError says that a group doesn't exist.
type UnknownGroupError struct {
	Group   string
	Nearest string // the existing group with the most similar name; empty when none is similar
}

func (e *UnknownGroupError) Error() string {
	if e.Nearest != "" {
		return fmt.Sprintf("group %q doesn't exist; did you mean %q?", e.Group, e.Nearest)
	}
	return fmt.Sprintf("group %q doesn't exist; 'todoctl groups list' shows those that do", e.Group)
}

// read describes the named groups; those that don't exist are left out. Like Kafka's
// own admin client (DescribeConsumerGroupsHandler) it asks for all of them as groups
// of the consumer protocol first, and for those that are none as classic groups: the
// classic answer about a KIP-848 group is that it isn't there. A broker without
// KIP-848 fails the first request, and whatever else fails it fails the second too.
func read(ctx context.Context, adm *kadm.Client, names []string) (map[string]Group, error) {
	found := make(map[string]Group, len(names))
	if len(names) == 0 {
		return found, nil // kadm would describe all
	}
	next, _ := adm.DescribeConsumerGroups(ctx, names...)
	var rest []string
	for _, name := range names {
		if g, ok := next[name]; ok && g.Err == nil {
			found[name] = fromConsumer(g)
		} else {
			rest = append(rest, name)
		}
	}
	if len(rest) == 0 {
		return found, nil
	}
	classic, err := adm.DescribeGroups(ctx, rest...)
	if err != nil {
		return found, fmt.Errorf("describe groups %s: %w", strings.Join(rest, ", "), err)
	}
	var errs []error
	for name, g := range classic {
		switch {
		case errors.Is(g.Err, kerr.GroupIDNotFound), g.Err == nil && g.State == stateDead:
		case g.Err != nil:
			errs = append(errs, fmt.Errorf("describe group %q: %w", name, g.Err))
		default:
			found[name] = fromClassic(g)
		}
	}
	return found, errors.Join(errs...)
}

func fromConsumer(d kadm.DescribedConsumerGroup) Group {
	g := Group{
		Group: d.Group, State: d.State, Type: typeConsumer, ProtocolType: "consumer",
		Balancer: d.AssignorName, Coordinator: d.Coordinator.NodeID, Members: []Member{},
	}
	for _, m := range d.Members {
		g.add(Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost, assigned: m.Assignment, topics: m.SubscribedTopics}, m.InstanceID)
	}
	return g
}

func fromClassic(d kadm.DescribedGroup) Group {
	g := Group{
		Group: d.Group, State: d.State, Type: typeClassic, ProtocolType: d.ProtocolType,
		Balancer: d.Protocol, Coordinator: d.Coordinator.NodeID, Members: []Member{},
	}
	for _, m := range d.Members {
		member := Member{ID: m.MemberID, ClientID: m.ClientID, Host: m.ClientHost}
		if join, ok := m.Join.AsConsumer(); ok {
			member.topics = join.Topics
		}
		if assigned, ok := m.Assigned.AsConsumer(); ok {
			for _, t := range assigned.Topics {
				member.assigned.Add(t.Topic, t.Partitions...)
			}
		}
		g.add(member, m.InstanceID)
	}
	return g
}

func (g *Group) add(m Member, instance *string) {
	if instance != nil {
		m.InstanceID = *instance
	}
	m.Host = strings.TrimPrefix(m.Host, "/") // as Java prints addresses
	m.assigned.Each(func(string, int32) { m.Partitions++ })
	delete(m.assigned, "") // kfake tells the ids of topics only
	g.Members = append(g.Members, m)
}

// readNamed describes groups that must exist: one that doesn't is an
// *UnknownGroupError. A group that is listed but can't be described, since it is about
// to die, has nothing but its state.
func readNamed(ctx context.Context, adm *kadm.Client, names []string) (map[string]Group, error) {
	found, err := read(ctx, adm, names)
	if err != nil || len(found) == len(names) {
		return found, err
	}
	listed, err := adm.ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	var unknown []error
	for _, name := range names {
		if _, ok := found[name]; ok {
			continue
		}
		switch l, ok := listed[name]; {
		case !ok:
			unknown = append(unknown, &UnknownGroupError{Group: name, Nearest: kafka.Nearest(name, listed.Groups())})
		case l.ProtocolType == typeShare:
			unknown = append(unknown, fmt.Errorf("group %q is a share group: the broker gives out its records one by one, it has no committed offsets", name))
		default:
			found[name] = Group{Group: name, State: cmp.Or(l.State, stateDead), Type: typeClassic, ProtocolType: l.ProtocolType, Coordinator: l.Coordinator, Members: []Member{}}
		}
	}
	return found, errors.Join(unknown...)
}
