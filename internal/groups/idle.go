package groups

import (
	"context"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A LiveError says that a group has members, so that its offsets are theirs.
type LiveError struct {
	Group Group
}

func (e *LiveError) Error() string {
	const shown = 5
	var names []string
	for _, m := range e.Group.Members[:min(len(e.Group.Members), shown)] {
		names = append(names, m.name())
	}
	who := "its state is " + e.Group.State
	if len(names) > 0 {
		who = strings.Join(names, ", ")
	}
	if more := len(e.Group.Members) - shown; more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("group %q is in use (%s): its members would go on from their own offsets; stop them, wait until 'todoctl groups list' says Empty, then try again",
		e.Group.Group, who)
}

func (m Member) name() string {
	return fmt.Sprintf("%s at %s", m.ClientID, m.Host)
}

// live tells whether somebody consumes: then the coordinator takes commits from
// members only.
func (g Group) live() bool {
	return len(g.Members) > 0 || g.State != stateEmpty && g.State != stateDead
}

// CheckIdle returns nil when the group exists and has no members; else an
// *UnknownGroupError or a *LiveError.
func CheckIdle(ctx context.Context, cl *kgo.Client, name string) error {
	_, err := readIdle(ctx, kadm.NewClient(cl), name)
	return err
}

// readIdle describes a group that exists and has no members.
func readIdle(ctx context.Context, adm *kadm.Client, name string) (Group, error) {
	found, err := readNamed(ctx, adm, []string{name})
	if err != nil {
		return Group{}, err
	}
	if g := found[name]; g.live() {
		return g, &LiveError{Group: g}
	}
	return found[name], nil
}
