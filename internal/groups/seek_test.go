package groups_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/groups"
)

func target(t testing.TB, s string) groups.Target {
	t.Helper()
	to, err := groups.ParseTarget(s, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func plan(t testing.TB, cl *kgo.Client, s groups.Seek) groups.Plan {
	t.Helper()
	p, err := s.Plan(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// moves are a plan's moves in words.
func moves(list []groups.Move) []string {
	var lines []string
	for _, m := range list {
		prior := "-"
		if m.Prior != nil {
			prior = fmt.Sprint(*m.Prior)
		}
		line := fmt.Sprintf("%s[%d] %s → %d", m.Topic, m.Partition, prior, m.New)
		for _, more := range []string{m.Note, m.Error} {
			if more != "" {
				line += "; " + more
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// stack is a topic whose partition 0 holds 10..19 and partition 1 holds 0..4, one
// record an hour, the last of them an hour ago; group g has committed 15 and 2.
func stack(t testing.TB, opts ...kfake.Opt) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	c, cl := cluster(t, 2, opts...)
	for p, n := range []int{20, 5} {
		for i := range n {
			produce(t, cl, int32(p), time.Duration(n-i)*time.Hour)
		}
	}
	var before kadm.Offsets
	before.AddOffset("t", 0, 10, -1)
	if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	commit(t, cl, "g", "t", map[int32]int64{0: 15, 1: 2})
	return c, cl
}

func TestSeekTargets(t *testing.T) {
	_, cl := stack(t, kfake.SeedTopics(1, "u"))
	commit(t, cl, "other", "t", map[int32]int64{1: 4})
	commit(t, cl, "other", "u", map[int32]int64{0: 0})
	tests := []struct {
		to   string
		seek groups.Seek
		want []string
	}{
		{to: "start", want: []string{"t[0] 15 → 10", "t[1] 2 → 0"}},
		{to: "end", want: []string{"t[0] 15 → 20", "t[1] 2 → 5"}},
		{to: "+2", want: []string{"t[0] 15 → 17", "t[1] 2 → 4"}},
		{to: "-2", want: []string{"t[0] 15 → 13", "t[1] 2 → 0"}},
		{to: "-9", want: []string{"t[0] 15 → 10; 6 is before the start of the log", "t[1] 2 → 0; -7 is before the start of the log"}},
		{to: "+9223372036854775807", want: []string{"t[0] 15 → 20; 9223372036854775807 is beyond the end of the log", "t[1] 2 → 5; 9223372036854775807 is beyond the end of the log"}},
		{to: "12", want: []string{"t[0] 15 → 12", "t[1] 2 → 5; 12 is beyond the end of the log"}},
		{to: "@150m", want: []string{"t[0] 15 → 18", "t[1] 2 → 3"}},
		{to: "@1m", want: []string{"t[0] 15 → 20", "t[1] 2 → 5"}},
		{to: "@2020-01-01", want: []string{"t[0] 15 → 10", "t[1] 2 → 0"}},
		{to: "group:other", want: []string{"t[1] 2 → 4", "u[0] - → 0"}},
		{to: "group:other", seek: groups.Seek{Topics: []string{"t"}}, want: []string{"t[1] 2 → 4"}},
		{to: "start", seek: groups.Seek{Partitions: []int32{1}}, want: []string{"t[1] 2 → 0"}},
		{to: "end", seek: groups.Seek{Topics: []string{"u"}, AllowNew: true}, want: []string{"u[0] - → 0"}},
		{to: "file:x", seek: groups.Seek{Saved: []groups.Saved{{"u", 0, 7, "line 1"}, {"t", 0, 12, "line 2"}}}, want: []string{"t[0] 15 → 12", "u[0] - → 0; 7 is beyond the end of the log"}},
	}
	for _, tt := range tests {
		t.Run(tt.to, func(t *testing.T) {
			tt.seek.Group, tt.seek.To = "g", target(t, tt.to)
			equal(t, moves(plan(t, cl, tt.seek).Moves), tt.want)
		})
	}
}

func TestSeekRefusals(t *testing.T) {
	_, cl := stack(t, kfake.SeedTopics(1, "u"))
	commit(t, cl, "other", "t", map[int32]int64{0: 12})
	tests := []struct {
		to   string
		seek groups.Seek
		want string
	}{
		{"start", groups.Seek{Group: "gg"}, `group "gg" doesn't exist; did you mean "g"?; --allow-new-topics makes a new one`},
		{"start", groups.Seek{Group: "x", AllowNew: true}, `group "x" has committed no offsets; name a topic with --topic, and give --allow-new-topics`},
		{"start", groups.Seek{Group: "g", Topics: []string{"u"}}, `group "g" has committed no offsets of topic "u"; give --allow-new-topics if that is meant`},
		{"start", groups.Seek{Group: "g", Topics: []string{"tt"}, AllowNew: true}, `topic "tt" doesn't exist; did you mean "t"?`},
		{"start", groups.Seek{Group: "g", Partitions: []int32{2}}, `topic "t" has no partition 2: its 2 partitions count from 0`},
		{"+1", groups.Seek{Group: "other", Topics: []string{"u"}, AllowNew: true}, `no offset of group "other" can be moved: u[0]: nothing is committed to count from`},
		{"1622505600", groups.Seek{Group: "g"}, `offset 1622505600 is beyond the end of every partition; the end is --to end, a time is --to @1622505600`},
		{"group:othre", groups.Seek{Group: "g"}, `group "othre" doesn't exist; did you mean "other"?`},
		{"group:other", groups.Seek{Group: "g", Partitions: []int32{1}}, `there are no offsets to set: none of the target's is of the topics and partitions that were named`},
		{"file:x", groups.Seek{Group: "g", Saved: []groups.Saved{{"t", 0, 12, "line 1"}, {"t", 4, 12, "line 2"}}}, `line 2: topic "t" has no partition 4`},
		{"file:x", groups.Seek{Group: "g", Saved: []groups.Saved{{"nowhere", 0, 12, "line 1"}}}, `topic "nowhere" doesn't exist; 'todoctl topics list' shows those that do`},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			tt.seek.To = target(t, tt.to)
			if _, err := tt.seek.Plan(t.Context(), cl); err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}

func TestSeekLeavesWhatIsGone(t *testing.T) {
	cl := leftovers(t)
	gone := groups.Skip{Topic: "old", Partition: -1, Reason: "the topic doesn't exist any more"}
	p := plan(t, cl, groups.Seek{Group: "g", To: target(t, "end")})
	equal(t, moves(p.Moves), []string{"shrunk[0] - → 0", "t[0] 0 → 1"})
	equal(t, p.Skips, []groups.Skip{gone})
	p = plan(t, cl, groups.Seek{Group: "g", To: target(t, "group:g")})
	equal(t, moves(p.Moves), []string{"t[0] 0 → 0"})
	equal(t, p.Skips, []groups.Skip{gone, {Topic: "shrunk", Partition: 2, Reason: "the topic has no such partition"}})
}

func TestApply(t *testing.T) {
	_, cl := stack(t)
	p := plan(t, cl, groups.Seek{Group: "g", To: target(t, "start")})
	if p.Empty() || p.Creates {
		t.Errorf("got %+v", p)
	}
	done, err := p.Apply(t.Context(), cl)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, moves(done), []string{"t[0] 15 → 10", "t[1] 2 → 0"})
	d := describe(t, cl, "g")[0]
	equal(t, []int64{*d.Partitions[0].Current, *d.Partitions[1].Current}, []int64{10, 0})
	if again := plan(t, cl, groups.Seek{Group: "g", To: target(t, "start")}); !again.Empty() {
		t.Errorf("not empty: %q", moves(again.Moves))
	}
}

// What a seek has set, consumers of both kinds go on from.
func TestConsumersGoOnFromThere(t *testing.T) {
	for name, extra := range map[string][]kgo.Opt{"classic": nil, "consumer": {kgo.ServerSideBalancer()}} {
		t.Run(name, func(t *testing.T) {
			c, cl := stack(t)
			first := join(t, c, "h", 15, extra...)
			seek := groups.Seek{Group: "h", To: target(t, "-3")}
			_, err := seek.Plan(t.Context(), cl)
			var live *groups.LiveError
			if !errors.As(err, &live) || !strings.HasPrefix(err.Error(), `group "h" is in use (reader at 127.0.0.1`) {
				t.Fatalf("got %v", err)
			}
			if err := first.LeaveGroupContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := plan(t, cl, seek).Apply(t.Context(), cl); err != nil {
				t.Fatal(err)
			}
			join(t, c, "h", 6, extra...)
			equal(t, describe(t, cl, "h")[0].TotalLag, int64(0))
		})
	}
}

func TestNewGroup(t *testing.T) {
	_, cl := stack(t)
	p := plan(t, cl, groups.Seek{Group: "new", To: target(t, "end"), Topics: []string{"t"}, AllowNew: true})
	equal(t, []any{p.Creates, moves(p.Moves)}, []any{true, []string{"t[0] - → 20", "t[1] - → 5"}})
	if _, err := p.Apply(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	equal(t, describe(t, cl, "new")[0].TotalLag, int64(0))
}

func TestApplyLooksAgain(t *testing.T) {
	c, cl := stack(t)
	p := plan(t, cl, groups.Seek{Group: "g", To: target(t, "start")})
	commit(t, cl, "g", "t", map[int32]int64{1: 3})
	if _, err := p.Apply(t.Context(), cl); !errors.Is(err, groups.ErrMoved) {
		t.Errorf("got %v", err)
	}
	member := client(t, c, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"))
	if fetches := member.PollFetches(t.Context()); fetches.Err() != nil {
		t.Fatal(fetches.Err())
	}
	var live *groups.LiveError
	if _, err := p.Apply(t.Context(), cl); !errors.As(err, &live) || len(live.Group.Members) != 1 {
		t.Errorf("got %v", err)
	}
	equal(t, *describe(t, cl, "g")[0].Partitions[0].Current, int64(15))
}

func TestMembersThatComeLast(t *testing.T) {
	for _, answer := range []*kerr.Error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress} {
		c, cl := stack(t)
		p := plan(t, cl, groups.Seek{Group: "g", To: target(t, "start")})
		c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: answer})
		_, err := p.Apply(t.Context(), cl)
		var live *groups.LiveError
		if !errors.As(err, &live) || !strings.HasPrefix(err.Error(), `group "g" is in use (its state is changing): `) {
			t.Errorf("%v: got %v", answer, err)
		}
	}
}

func TestOnePartitionFails(t *testing.T) {
	c, cl := stack(t, kfake.SeedTopics(1, "u"))
	p := plan(t, cl, groups.Seek{Group: "g", To: target(t, "end"), Topics: []string{"t", "u"}, AllowNew: true})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Topic: "u", Err: kerr.TopicAuthorizationFailed})
	done, err := p.Apply(t.Context(), cl)
	reason := kerr.TopicAuthorizationFailed.Error()
	if want := `commit u[0] of group "g": ` + reason; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	equal(t, moves(done), []string{"t[0] 15 → 20", "t[1] 2 → 5", "u[0] - → 0; " + reason})
}

func TestOffsetsInAnOpenTransaction(t *testing.T) {
	c, cl := stack(t)
	known, err := kadm.NewClient(cl).ListTopics(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	tx := transactional(t, c)
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, tx, 0, time.Hour)
	id, epoch, err := tx.ProducerID(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = "tx", id, epoch, "g"
	if resp, err := add.RequestWith(t.Context(), cl); err != nil || resp.ErrorCode != 0 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	partition := kmsg.NewTxnOffsetCommitRequestTopicPartition()
	partition.Offset = 19
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = "t", known["t"].ID, append(topic.Partitions, partition)
	pending := kmsg.NewPtrTxnOffsetCommitRequest()
	pending.TransactionalID, pending.ProducerID, pending.ProducerEpoch, pending.Group = "tx", id, epoch, "g"
	pending.Topics = append(pending.Topics, topic)
	if resp, err := pending.RequestWith(t.Context(), cl); err != nil || resp.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("got %+v, %v", resp, err)
	}
	seek := groups.Seek{Group: "g", To: target(t, "start")}
	if _, err := seek.Plan(t.Context(), cl); err == nil || !strings.Contains(err.Error(), "a transaction that is still open commits offsets of it") {
		t.Errorf("got %v", err)
	}
	if err := tx.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	equal(t, moves(plan(t, cl, seek).Moves), []string{"t[0] 19 → 10", "t[1] 2 → 0"})
}
