package groups_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/kafka"
)

// cluster starts an in-process broker with a topic named "t" of n partitions.
func cluster(t testing.TB, n int32, opts ...kfake.Opt) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(n, "t")}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, client(t, c)
}

func client(t testing.TB, c *kfake.Cluster, extra ...kgo.Opt) *kgo.Client {
	t.Helper()
	opts := append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())}, extra...)
	cl, err := kafka.NewClient(kafka.Options{Brokers: c.ListenAddrs()}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// transactional makes a producer with the transactional id "tx".
func transactional(t testing.TB, c *kfake.Cluster) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.TransactionalID("tx"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// produce writes a record for each age to the partition of topic "t", so long ago.
func produce(t testing.TB, cl *kgo.Client, partition int32, ages ...time.Duration) {
	t.Helper()
	var records []*kgo.Record
	for _, age := range ages {
		records = append(records, &kgo.Record{Topic: "t", Partition: partition, Value: []byte("v"), Timestamp: time.Now().Add(-age)})
	}
	if err := cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// commit writes offsets as an admin would.
func commit(t testing.TB, cl *kgo.Client, group, topic string, at map[int32]int64) {
	t.Helper()
	var offsets kadm.Offsets
	for p, offset := range at {
		offsets.AddOffset(topic, p, offset, -1)
	}
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}

// join consumes topic "t" in the group until n records have come, and commits them.
// The member stays.
func join(t testing.TB, c *kfake.Cluster, group string, n int, extra ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl := client(t, c, append([]kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics("t"), kgo.ClientID("reader"), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, extra...)...)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for got := 0; got < n; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		got += fetches.NumRecords()
	}
	if err := cl.CommitUncommittedOffsets(ctx); err != nil {
		t.Fatal(err)
	}
	return cl
}

func describe(t testing.TB, cl *kgo.Client, names ...string) []groups.Description {
	t.Helper()
	list, err := groups.Describe(t.Context(), cl, names, nil)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func equal(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// within checks an age against what a slow machine may add to it.
func within(t testing.TB, seconds *float64, want time.Duration) {
	t.Helper()
	if seconds == nil {
		t.Errorf("age unknown, want %v", want)
		return
	}
	if got := *seconds - want.Seconds(); got < -0.01 || got > 60 {
		t.Errorf("age %.3fs, want %v", *seconds, want)
	}
}

func TestDescribeConsumers(t *testing.T) {
	for name, extra := range map[string][]kgo.Opt{
		"classic":  {kgo.Balancers(kgo.RangeBalancer())},
		"consumer": {kgo.ServerSideBalancer()},
	} {
		t.Run(name, func(t *testing.T) {
			c, cl := cluster(t, 2)
			produce(t, cl, 0, 3*time.Hour, 2*time.Hour)
			produce(t, cl, 1, time.Hour)
			join(t, c, "g", 3, extra...)
			produce(t, cl, 0, 90*time.Minute, time.Minute)

			d := describe(t, cl, "g")[0]
			equal(t, []any{d.State, d.Type, d.ProtocolType, len(d.Members), len(d.Idle())}, []any{"Stable", name, "consumer", 1, 0})
			equal(t, []any{d.Members[0].ClientID, d.Members[0].Partitions, d.Balancer != ""}, []any{"reader", 2, true})
			equal(t, d.TotalLag, int64(2))
			within(t, d.LagSeconds, 90*time.Minute)

			p := d.Partitions[0]
			equal(t, []int64{*p.Current, *p.Start, *p.End, *p.Lag}, []int64{2, 0, 4, 2})
			if name == "classic" { // kfake doesn't name the topics of KIP-848 assignments
				equal(t, []string{p.MemberID, p.ClientID}, []string{d.Members[0].ID, "reader"})
			}
			within(t, p.LagSeconds, 90*time.Minute)
			p = d.Partitions[1]
			equal(t, []any{*p.Current, *p.Lag, *p.LagSeconds}, []any{int64(1), int64(0), 0.0})

			list, err := groups.List(t.Context(), cl, nil)
			if err != nil {
				t.Fatal(err)
			}
			one, lag := 1, int64(2)
			equal(t, list, []groups.Summary{{
				Group: "g", State: "Stable", Type: name, ProtocolType: "consumer", Coordinator: d.Coordinator,
				Members: &one, Topics: []string{"t"}, TotalLag: &lag,
			}})
		})
	}
}

func TestIdleMember(t *testing.T) {
	c, cl := cluster(t, 1)
	produce(t, cl, 0, time.Hour)
	join(t, c, "g", 1)
	client(t, c, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("t"), kgo.ClientID("second"))
	deadline := time.After(20 * time.Second)
	for {
		if d := describe(t, cl, "g")[0]; d.State == "Stable" && len(d.Members) == 2 {
			equal(t, []any{len(d.Idle()), d.Members[0].Partitions + d.Members[1].Partitions}, []any{1, 1})
			return
		}
		select {
		case <-deadline:
			t.Fatal("the second member never joined")
		default:
		}
	}
}

func TestNothingCommitted(t *testing.T) {
	_, cl := cluster(t, 2)
	produce(t, cl, 0, time.Hour)
	produce(t, cl, 1, 2*time.Hour, time.Hour)
	commit(t, cl, "g", "t", map[int32]int64{0: 1})
	d := describe(t, cl, "g")[0]
	equal(t, []any{d.State, d.TotalLag, d.Partitions[1].Current == nil, *d.Partitions[1].Lag}, []any{"Empty", int64(2), true, int64(2)})
	within(t, d.LagSeconds, 2*time.Hour)
}

func TestCommittedOutsideTheLog(t *testing.T) {
	_, cl := cluster(t, 2)
	produce(t, cl, 0, 5*time.Hour, 4*time.Hour, 3*time.Hour, 2*time.Hour)
	commit(t, cl, "g", "t", map[int32]int64{0: 1, 1: 7})
	var before kadm.Offsets
	before.AddOffset("t", 0, 3, -1)
	if _, err := kadm.NewClient(cl).DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	d := describe(t, cl, "g")[0]
	p := d.Partitions[0]
	equal(t, []int64{*p.Current, *p.Start, *p.End, *p.Lag, p.Lost}, []int64{1, 3, 4, 3, 2})
	within(t, p.LagSeconds, 2*time.Hour)
	p = d.Partitions[1]
	equal(t, []int64{*p.Current, *p.End, *p.Lag, p.Beyond}, []int64{7, 0, 0, 7})
}

func TestOffsetsUnknown(t *testing.T) {
	c, cl := cluster(t, 1, kfake.SeedTopics(1, "u"))
	commit(t, cl, "g", "t", map[int32]int64{0: 0})
	commit(t, cl, "g", "u", map[int32]int64{0: 0})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: "u", Err: kerr.UnknownServerError, Count: -1})
	d := describe(t, cl, "g")[0]
	equal(t, []any{d.Partitions[0].Error, d.Partitions[1].Error, d.Partitions[1].Lag == nil, d.LagSeconds == nil},
		[]any{"", kerr.UnknownServerError.Error(), true, true})
	list, err := groups.List(t.Context(), cl, nil)
	if err != nil || len(list) != 1 || list[0].Error != "lag of u[0] unknown: "+kerr.UnknownServerError.Error() {
		t.Errorf("got %+v: %v", list, err)
	}
}

// leftovers is a cluster whose group "g" has committed 0 for t[0], and for what is
// gone: old[1] and shrunk[2]. kfake forgets such commits, as Kafka does in the end; here
// the coordinator hasn't yet.
func leftovers(t testing.TB) *kgo.Client {
	t.Helper()
	c, cl := cluster(t, 1, kfake.SeedTopics(1, "shrunk"), kfake.MaxVersions(kversion.V3_7_0()))
	produce(t, cl, 0, time.Hour)
	commit(t, cl, "g", "t", map[int32]int64{0: 0})
	c.ControlKey(int16(kmsg.OffsetFetch), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		group := kmsg.NewOffsetFetchResponseGroup()
		group.Group = "g"
		for topic, partition := range map[string]int32{"t": 0, "old": 1, "shrunk": 2} {
			p := kmsg.NewOffsetFetchResponseGroupTopicPartition()
			p.Partition = partition
			rt := kmsg.NewOffsetFetchResponseGroupTopic()
			rt.Topic, rt.Partitions = topic, append(rt.Partitions, p)
			group.Topics = append(group.Topics, rt)
		}
		resp := req.ResponseKind().(*kmsg.OffsetFetchResponse)
		resp.Groups = append(resp.Groups, group)
		return resp, nil, true
	})
	return cl
}

func TestTopicGone(t *testing.T) {
	cl := leftovers(t)
	d := describe(t, cl, "g")[0]
	var gone []string
	for _, p := range d.Partitions {
		if p.Gone {
			gone = append(gone, p.Topic)
			equal(t, []any{*p.Current, p.Lag == nil, p.Error}, []any{int64(0), true, ""})
		}
	}
	equal(t, gone, []string{"old", "shrunk"})
	equal(t, d.TotalLag, int64(1))
	within(t, d.LagSeconds, time.Hour)
}

// Brokers name the topics of an assignment; kfake doesn't.
func TestAssignmentOfConsumerProtocol(t *testing.T) {
	c, cl := cluster(t, 1)
	produce(t, cl, 0, time.Hour)
	c.ControlKey(int16(kmsg.ConsumerGroupDescribe), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		assigned := kmsg.NewAssignmentTopicPartition()
		assigned.Topic, assigned.Partitions = "t", []int32{0}
		m := kmsg.NewConsumerGroupDescribeResponseGroupMember()
		m.MemberID, m.InstanceID, m.ClientID, m.ClientHost = "m", kmsg.StringPtr("i"), "c", "/10.0.0.1"
		m.Assignment.TopicPartitions = append(m.Assignment.TopicPartitions, assigned)
		g := kmsg.NewConsumerGroupDescribeResponseGroup()
		g.Group, g.State, g.AssignorName = "g", "Stable", "uniform"
		g.Members = append(g.Members, m)
		resp := req.ResponseKind().(*kmsg.ConsumerGroupDescribeResponse)
		resp.Groups = append(resp.Groups, g)
		return resp, nil, true
	})
	d := describe(t, cl, "g")[0]
	equal(t, []any{d.Balancer, d.Members[0].Partitions, d.TotalLag}, []any{"uniform", 1, int64(1)})
	p := d.Partitions[0]
	equal(t, []string{p.MemberID, p.InstanceID, p.ClientID, p.Host}, []string{"m", "i", "c", "10.0.0.1"})
}

func TestUnknownGroups(t *testing.T) {
	_, cl := cluster(t, 1)
	commit(t, cl, "orders", "t", map[int32]int64{0: 0})
	_, err := groups.Describe(t.Context(), cl, []string{"ordres", "orders", "x"}, nil)
	var unknown *groups.UnknownGroupError
	if !errors.As(err, &unknown) || *unknown != (groups.UnknownGroupError{Group: "ordres", Nearest: "orders"}) {
		t.Errorf("got %v", err)
	}
	want := "group \"ordres\" doesn't exist; did you mean \"orders\"?\n" +
		"group \"x\" doesn't exist; 'todoctl groups list' shows those that do"
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// A broker without KIP-848 doesn't know the request.
func TestOldBroker(t *testing.T) {
	c, cl := cluster(t, 1)
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ConsumerGroupDescribe}, Err: kerr.UnsupportedVersion})
	commit(t, cl, "g", "t", map[int32]int64{0: 0})
	equal(t, describe(t, cl, "g")[0].State, "Empty")
}

func TestDeadGroup(t *testing.T) {
	c, cl := cluster(t, 1)
	commit(t, cl, "g", "t", map[int32]int64{0: 0})
	c.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
		g := kmsg.NewDescribeGroupsResponseGroup()
		g.Group, g.State, g.ErrorCode = "g", "Dead", kerr.GroupIDNotFound.Code
		resp.Groups = append(resp.Groups, g)
		return resp, nil, true
	})
	c.ControlKey(int16(kmsg.ListGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		resp := req.ResponseKind().(*kmsg.ListGroupsResponse)
		g := kmsg.NewListGroupsResponseGroup()
		g.Group, g.GroupState = "g", "Dead"
		resp.Groups = append(resp.Groups, g)
		return resp, nil, true
	})
	equal(t, describe(t, cl, "g")[0].State, "Dead")
	list, err := groups.List(t.Context(), cl, nil)
	if err != nil || len(list) != 1 || list[0].State != "Dead" {
		t.Errorf("got %+v: %v", list, err)
	}
}

// Coordinators and leaders are spread over the brokers.
func TestSeveralBrokers(t *testing.T) {
	_, cl := cluster(t, 6, kfake.NumBrokers(3))
	names := []string{"a", "b", "c", "d", "e", "f"}
	coordinators := make(map[int32]bool)
	for i := range int32(6) {
		produce(t, cl, i, time.Duration(i+1)*time.Hour)
		commit(t, cl, names[i], "t", map[int32]int64{i: 1})
	}
	for _, d := range describe(t, cl, names...) {
		coordinators[d.Coordinator] = true
		equal(t, d.TotalLag, int64(5))
		within(t, d.LagSeconds, map[bool]time.Duration{true: 5 * time.Hour, false: 6 * time.Hour}[d.Group.Group == "f"])
	}
	if len(coordinators) < 2 {
		t.Errorf("coordinators %v", coordinators)
	}
	list, err := groups.List(t.Context(), cl, nil)
	if err != nil || len(list) != 6 {
		t.Errorf("%d groups: %v", len(list), err)
	}
}
