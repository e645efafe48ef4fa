package dlq

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	holdSession = 10 * time.Second            // after which the group forgets a member that was killed
	holdWait    = holdSession + 5*time.Second // for another member to go
	joinWait    = 30 * time.Second            // for the group to take us
	pollHold    = 250 * time.Millisecond      // between two looks at the group
)

// A BusyError says that somebody else deals with dead letters.
type BusyError struct{ Member string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("another redrive or discard is under way: group %s has the member %s", Group, e.Member)
}

var errLost = errors.New("another redrive or discard has begun meanwhile, or group " + Group + " has lost sight of this one; what is left can be redriven again")

// A hold is the membership in Group. While there is one the broker takes commits of
// nobody else; a member that was put out can't commit any more.
type hold struct {
	cl   *kgo.Client
	want int // partitions

	mu   sync.Mutex
	has  int
	full context.CancelFunc      // called when all partitions are ours
	lost bool                    // they are no longer, or were not for a time
	tell context.CancelCauseFunc // called then; nil before there is somebody to tell
}

// take joins Group, alone. Another member is waited for as long as a dead one stays;
// waiting is told of it once.
func take(ctx context.Context, cl *kgo.Client, o kafka.Options, topics []string, partitions int, waiting func(error)) (*hold, error) {
	if err := vacant(ctx, cl, waiting); err != nil {
		return nil, err
	}
	wait, full := context.WithTimeout(ctx, joinWait)
	defer full()
	h := &hold{want: partitions, full: full}
	var err error
	h.cl, err = kafka.NewClient(o,
		kgo.ConsumerGroup(Group), kgo.ConsumeTopics(topics...), kgo.DisableAutoCommit(),
		kgo.SessionTimeout(holdSession), kgo.HeartbeatInterval(holdSession/5), kgo.Balancers(kgo.RangeBalancer()),
		kgo.OnPartitionsAssigned(h.assigned), kgo.OnPartitionsRevoked(h.revoked), kgo.OnPartitionsLost(h.revoked))
	if err != nil {
		return nil, err
	}
	h.cl.PauseFetchTopics(topics...) // it is a member to commit, not to read
	var failed error
	for !h.complete() && wait.Err() == nil && (failed == nil || kerr.IsRetriable(failed)) {
		failed = pollError(h.cl.PollFetches(wait))
	}
	if h.complete() {
		return h, nil
	}
	h.close()
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case failed != nil:
		return nil, fmt.Errorf("join group %q: %w", Group, failed)
	}
	return nil, fmt.Errorf("join group %q: not all partitions were given within %s", Group, joinWait)
}

// pollError is what keeps the client from joining, if anything does.
func pollError(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.Canceled) && !errors.Is(e.Err, context.DeadlineExceeded) {
			return e.Err
		}
	}
	return nil
}

// vacant returns nil once the group has no member.
func vacant(ctx context.Context, cl *kgo.Client, waiting func(error)) error {
	adm := kadm.NewClient(cl)
	tick := time.NewTicker(pollHold)
	defer tick.Stop()
	limit := time.After(holdWait)
	for told := false; ; told = true {
		described, err := adm.DescribeGroups(ctx, Group)
		if err != nil {
			return fmt.Errorf("describe group %q: %w", Group, err)
		}
		g := described[Group]
		if g.Err != nil && !errors.Is(g.Err, kerr.GroupIDNotFound) {
			return fmt.Errorf("describe group %q: %w", Group, g.Err)
		}
		if len(g.Members) == 0 {
			return nil
		}
		busy := &BusyError{Member: fmt.Sprintf("%s at %s", g.Members[0].ClientID, strings.TrimPrefix(g.Members[0].ClientHost, "/"))}
		if !told {
			waiting(fmt.Errorf("%w; if that was killed, it is out within %s", busy, holdSession))
		}
		select {
		case <-tick.C:
		case <-limit:
			return busy
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *hold) assigned(_ context.Context, _ *kgo.Client, given map[string][]int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, partitions := range given {
		h.has += len(partitions)
	}
	if h.has == h.want {
		h.full()
	}
}

func (h *hold) revoked(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, partitions := range taken {
		h.has -= len(partitions)
	}
	h.lost = true
	if h.tell != nil {
		h.tell(errLost)
	}
}

func (h *hold) complete() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.has == h.want && !h.lost
}

// guard returns a context that ends when the hold does.
func (h *hold) guard(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell = cancel
	if h.lost {
		cancel(errLost)
	}
	return ctx, cancel
}

// commit writes the ledgers to the group. One who has come back to it after a loss is
// refused here: the broker would take it, over what somebody else has settled meanwhile.
func (h *hold) commit(ctx context.Context, ledgers map[string]map[int32]ledger) error {
	if !h.complete() {
		return errLost
	}
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	texts := make(map[string]map[int32]string)
	for topic, partitions := range ledgers {
		offsets[topic], texts[topic] = make(map[int32]kgo.EpochOffset), make(map[int32]string)
		for p, l := range partitions {
			text, err := l.metadata()
			if err != nil {
				return fmt.Errorf("%s[%d]: %w", topic, p, err)
			}
			offsets[topic][p] = kgo.EpochOffset{Epoch: -1, Offset: l.next}
			texts[topic][p] = text
		}
	}
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for _, t := range req.Topics {
			for i := range t.Partitions {
				t.Partitions[i].Metadata = kmsg.StringPtr(texts[t.Topic][t.Partitions[i].Partition])
			}
		}
		return nil
	})
	var failed error
	h.cl.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		failed = commitError(resp, err)
	})
	if failed != nil {
		return fmt.Errorf("commit to group %q: %w", Group, failed)
	}
	return nil
}

func commitError(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d]: %w", t.Topic, p.Partition, err))
			}
		}
	}
	return errors.Join(errs...)
}

// close leaves the group, so that the next one need not wait. It is bounded by the
// client's timeouts.
func (h *hold) close() { h.cl.Close() }
