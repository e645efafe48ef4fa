package groups

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Description is all there is to know of a group.
type Description struct {
	Group
	TotalLag   int64       `json:"total_lag"`
	LagSeconds *float64    `json:"lag_seconds"` // the largest of the partitions; nil when one isn't known
	Partitions []Partition `json:"partitions"`
}

// Describe returns the named groups in the order of the names, each with the
// partitions of the given topics or, when there are none, all it has to do with:
// committed, assigned, or wanted by a member. One that doesn't exist is an
// *UnknownGroupError, and nothing is returned then.
//
// Unread records are looked at for their age; after 10 s those that are left have
// none.
func Describe(ctx context.Context, cl *kgo.Client, names, topics []string) ([]Description, error) {
	adm := kadm.NewClient(cl)
	found, err := readNamed(ctx, adm, names)
	if err != nil {
		return nil, err
	}
	offsets, err := readOffsets(ctx, adm, found)
	if err != nil {
		return nil, err
	}
	list := make([]Description, len(names))
	var errs []error
	for i, name := range names {
		partitions, err := offsets.of(found[name])
		errs = append(errs, err)
		if len(topics) > 0 {
			partitions = slices.DeleteFunc(partitions, func(p Partition) bool { return !slices.Contains(topics, p.Topic) })
		}
		list[i] = Description{Group: found[name], TotalLag: totalLag(partitions), Partitions: partitions}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	clock := ageReader{cl: cl, topics: offsets.topics, now: time.Now}
	if err := clock.read(ctx, list); err != nil {
		return nil, err
	}
	for i := range list {
		list[i].LagSeconds = oldest(list[i].Partitions)
	}
	return list, nil
}

func oldest(partitions []Partition) *float64 {
	seconds := 0.0
	for _, p := range partitions {
		switch {
		case p.Gone:
		case p.LagSeconds == nil:
			return nil
		default:
			seconds = max(seconds, *p.LagSeconds)
		}
	}
	return &seconds
}

// Idle returns the members that nothing is assigned to.
func (d Description) Idle() []Member {
	return slices.DeleteFunc(slices.Clone(d.Members), func(m Member) bool { return m.Partitions > 0 })
}
