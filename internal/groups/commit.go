package groups

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrMoved says that the group's offsets are no longer what a plan was made from.
var ErrMoved = errors.New("its offsets have moved since the plan was made; look at them again")

// Apply commits the new offsets in one request and reads them back: New is what the
// group then has. Before that it looks again whether the group is still without
// members and its offsets are where the plan found them. The moves are in the order of
// the plan, those that failed with an error; the error joins all failures.
func (p Plan) Apply(ctx context.Context, cl *kgo.Client) ([]Move, error) {
	adm := kadm.NewClient(cl)
	if err := p.check(ctx, adm); err != nil {
		return nil, err
	}
	var wanted kadm.Offsets
	for _, m := range p.Moves {
		wanted.AddOffset(m.Topic, m.Partition, m.New, -1)
	}
	answers, err := adm.CommitOffsets(ctx, p.Group, wanted)
	if err != nil {
		return nil, fmt.Errorf("commit offsets of group %q: %w", p.Group, err)
	}
	moves := slices.Clone(p.Moves)
	var errs []error
	for i := range moves {
		m := &moves[i]
		answer, ok := answers.Lookup(m.Topic, m.Partition)
		switch err := answer.Err; {
		case !ok:
			m.Error = "the broker didn't answer for it"
		case notMember(err):
			return nil, p.live(ctx, adm)
		case err != nil:
			m.Error = err.Error()
		}
		if m.Error != "" {
			errs = append(errs, fmt.Errorf("commit %s[%d] of group %q: %s", m.Topic, m.Partition, p.Group, m.Error))
		}
	}
	errs = append(errs, p.readBack(ctx, adm, moves))
	return moves, errors.Join(errs...)
}

// check tells whether all is as it was planned for.
func (p Plan) check(ctx context.Context, adm *kadm.Client) error {
	_, err := readIdle(ctx, adm, p.Group)
	var unknown *UnknownGroupError
	if expected := p.Creates && errors.As(err, &unknown); err != nil && !expected {
		return err
	}
	now, err := committed(ctx, adm, p.Group)
	if err != nil {
		return err
	}
	for _, m := range p.Moves {
		o, ok := now.Lookup(m.Topic, m.Partition)
		if ok != (m.Prior != nil) || ok && o.At != *m.Prior {
			return fmt.Errorf("group %q: %w", p.Group, ErrMoved)
		}
	}
	return nil
}

// notMember tells whether an answer to a commit means that the group has members:
// brokers don't say so in plain words.
func notMember(err error) bool {
	return errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.StaleMemberEpoch) || errors.Is(err, kerr.FencedMemberEpoch)
}

// live is the error of a group whose members came between the check and the commit.
func (p Plan) live(ctx context.Context, adm *kadm.Client) error {
	g, err := readIdle(ctx, adm, p.Group)
	if err != nil {
		return err
	}
	g.State = "changing"
	return &LiveError{Group: g}
}

// readBack sets what the group has committed now.
func (p Plan) readBack(ctx context.Context, adm *kadm.Client, moves []Move) error {
	now, err := committed(ctx, adm, p.Group)
	if err != nil {
		return fmt.Errorf("offsets were committed, but not read back: %w", err)
	}
	var errs []error
	for i := range moves {
		m := &moves[i]
		if m.Error != "" {
			continue
		}
		o, ok := now.Lookup(m.Topic, m.Partition)
		if !ok {
			o.At = -1
		}
		if o.At != m.New {
			errs = append(errs, fmt.Errorf("%s[%d] of group %q reads back as %d, not %d: somebody else commits too", m.Topic, m.Partition, p.Group, o.At, m.New))
		}
		m.New = o.At
	}
	return errors.Join(errs...)
}
