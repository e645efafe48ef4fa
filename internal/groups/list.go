package groups

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Summary is a group in a list. What doesn't apply to a share group is nil.
type Summary struct {
	Group        string   `json:"group"`
	State        string   `json:"state"`
	Type         string   `json:"type"`
	ProtocolType string   `json:"protocol_type"`
	Coordinator  int32    `json:"coordinator"`
	Members      *int     `json:"members"`
	Topics       []string `json:"topics"` // with committed offsets or members
	TotalLag     *int64   `json:"total_lag"`
	Error        string   `json:"error,omitempty"` // why the lag is not known, or not all of it
}

// List returns the groups by name: all, or those in one of the states, whatever their
// case. When some brokers don't answer it returns the groups of the others and an
// error.
func List(ctx context.Context, cl *kgo.Client, states []string) ([]Summary, error) {
	adm := kadm.NewClient(cl)
	listed, listErr := adm.ListGroups(ctx)
	if listErr != nil {
		listErr = fmt.Errorf("list groups: %w", listErr)
	}
	if listErr != nil && len(listed) == 0 {
		return nil, listErr
	}
	maps.DeleteFunc(listed, func(_ string, l kadm.ListedGroup) bool {
		return l.State != "" && !oneOf(states, l.State) // brokers before Kafka 2.6 list no states
	})
	found, err := read(ctx, adm, countable(listed))
	if err != nil {
		return nil, err
	}
	offsets, err := readOffsets(ctx, adm, found)
	if err != nil {
		return nil, err
	}
	list := []Summary{}
	for _, l := range listed.Sorted() {
		s := undescribed(l)
		if g, ok := found[l.Group]; ok {
			s = summary(g)
			s.count(offsets.of(g))
		}
		if oneOf(states, s.State) {
			list = append(list, s)
		}
	}
	return list, listErr
}

// oneOf tells whether a state is wanted: any is when none is named.
func oneOf(states []string, state string) bool {
	return len(states) == 0 || slices.ContainsFunc(states, func(s string) bool { return strings.EqualFold(s, state) })
}

// countable are the groups that have committed offsets.
func countable(listed kadm.ListedGroups) []string {
	var names []string
	for _, l := range listed.Sorted() {
		if l.ProtocolType != typeShare {
			names = append(names, l.Group)
		}
	}
	return names
}

func summary(g Group) Summary {
	members := len(g.Members)
	return Summary{
		Group: g.Group, State: g.State, Type: g.Type, ProtocolType: g.ProtocolType,
		Coordinator: g.Coordinator, Members: &members, Topics: []string{},
	}
}

// undescribed is a share group, or one that is about to die.
func undescribed(l kadm.ListedGroup) Summary {
	s := Summary{Group: l.Group, State: cmp.Or(l.State, stateDead), Type: typeClassic, ProtocolType: l.ProtocolType, Coordinator: l.Coordinator, Topics: []string{}}
	if l.ProtocolType == typeShare {
		s.Type = typeShare
	}
	return s
}

func (s *Summary) count(partitions []Partition, err error) {
	if err != nil {
		s.Error = err.Error()
		return
	}
	for _, p := range partitions {
		if len(s.Topics) == 0 || s.Topics[len(s.Topics)-1] != p.Topic {
			s.Topics = append(s.Topics, p.Topic)
		}
		if p.Error != "" {
			s.Error = unknownLag(p)
		}
	}
	total := totalLag(partitions)
	s.TotalLag = &total
}

func unknownLag(p Partition) string {
	return fmt.Sprintf("lag of %s[%d] unknown: %s", p.Topic, p.Partition, p.Error)
}

// Names returns the names of all groups in order.
func Names(ctx context.Context, cl *kgo.Client) ([]string, error) {
	listed, err := kadm.NewClient(cl).ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("list groups: %w", err)
	}
	return listed.Groups(), nil
}
