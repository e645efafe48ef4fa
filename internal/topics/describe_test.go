package topics_test

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/topics"
)

func TestInspectFindsReaders(t *testing.T) {
	c, cl := cluster(t, kfake.NumBrokers(3), kfake.SeedTopics(2, "read", "unread"))
	var records []*kgo.Record
	for range 5 {
		records = append(records, &kgo.Record{Topic: "read", Key: []byte("1"), Value: []byte("v")})
	}
	if err := kafka.Produce(t.Context(), cl, records); err != nil {
		t.Fatal(err)
	}
	filled := records[0].Partition

	var offsets kadm.Offsets
	offsets.AddOffset("read", filled, 3, -1)
	if err := kadm.NewClient(cl).CommitAllOffsets(t.Context(), "committed", offsets); err != nil {
		t.Fatal(err)
	}
	for group, opt := range map[string]kgo.Opt{"classic": kgo.InstanceID("m"), "kip-848": kgo.ServerSideBalancer()} {
		member, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumerGroup(group), kgo.ConsumeTopics("read"), kgo.DisableAutoCommit(), opt)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(member.CloseAllowingRebalance)
		if err := member.PollFetches(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
	}

	found, err := topics.Inspect(t.Context(), cl, []string{"unread", "read"})
	if err != nil {
		t.Fatal(err)
	}
	two, five := int64(2), int64(5)
	equal(t, found[1].Readers, []topics.Reader{
		{Group: "classic", State: "Stable", Lag: &five},
		{Group: "committed", State: "Empty", Lag: &two},
		{Group: "kip-848", State: "Stable", Lag: &five},
	})
	equal(t, found[0].Readers, []topics.Reader{})
	if found[1].Size == nil || *found[1].Size == 0 || *found[1].Size != *found[1].Details[filled].Size {
		t.Errorf("size %v", found[1].Size)
	}
	n, known := found[1].Records()
	equal(t, []any{n, known}, []any{int64(5), true})
}

// What the brokers don't tell is unknown; the rest is there.
func TestInspectDoesWithoutWhatItMayNotSee(t *testing.T) {
	for name, c := range map[string]struct {
		fault   kfake.Fault
		size    bool
		readers string
	}{
		"log dirs": {fault: kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeLogDirs}, TopLevel: true, Err: kerr.ClusterAuthorizationFailed}},
		"groups": {
			fault: kfake.Fault{Keys: []kmsg.Key{kmsg.ListGroups}, TopLevel: true, Err: kerr.ClusterAuthorizationFailed},
			size:  true, readers: "list groups: ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			broker, cl := cluster(t, kfake.SeedTopics(1, "a"))
			c.fault.Count = -1
			broker.Fault(c.fault)
			found, err := topics.Inspect(t.Context(), cl, []string{"a"})
			if err != nil {
				t.Fatal(err)
			}
			if known := found[0].Size != nil && found[0].Details[0].Size != nil; known != c.size {
				t.Errorf("size known: %v", known)
			}
			if !strings.HasPrefix(found[0].ReadersError, c.readers) || (found[0].ReadersError == "") != (c.readers == "") {
				t.Errorf("readers: %q", found[0].ReadersError)
			}
			if (found[0].Readers == nil) != (c.readers != "") {
				t.Errorf("readers: %v", found[0].Readers)
			}
			n, known := found[0].Records()
			equal(t, []any{n, known}, []any{int64(0), true})
		})
	}
}

func TestHealth(t *testing.T) {
	well := topics.Partition{Leader: 0, Replicas: []int32{0, 1}, ISR: []int32{0, 1}}
	behind := topics.Partition{Partition: 1, Leader: 0, Replicas: []int32{0, 1}, ISR: []int32{0}}
	dead := topics.Partition{Partition: 2, Leader: -1, Replicas: []int32{0}, ISR: []int32{0}}
	list := []topics.Description{
		{Summary: topics.Summary{Topic: "well"}, Details: []topics.Partition{well}},
		{Summary: topics.Summary{Topic: "behind"}, Details: []topics.Partition{well, behind}},
		{Summary: topics.Summary{Topic: "dead"}, Details: []topics.Partition{behind, dead}},
	}
	for _, c := range []struct {
		filter topics.Health
		want   map[string][]topics.Partition
	}{
		{topics.Health{UnderReplicated: true}, map[string][]topics.Partition{"behind": {behind}, "dead": {behind}}},
		{topics.Health{Offline: true}, map[string][]topics.Partition{"dead": {dead}}},
		{topics.Health{UnderReplicated: true, Offline: true}, map[string][]topics.Partition{"behind": {behind}, "dead": {behind, dead}}},
	} {
		got := make(map[string][]topics.Partition)
		for _, d := range c.filter.Partitions(list) {
			got[d.Topic] = d.Details
		}
		equal(t, got, c.want)
	}
	equal(t, topics.Health{}.Set(), false)
}

func TestRetentionInWords(t *testing.T) {
	_, cl := cluster(t)
	specs := map[string]map[string]string{
		"7 days":                                    {},
		"forever":                                   {"retention.ms": "-1"},
		"90 minutes, 1 GB a partition":              {"retention.ms": "5400000", "retention.bytes": "1000000000"},
		"512 MiB a partition":                       {"retention.ms": "-1", "retention.bytes": "536870912"},
		"1 day, 1001 bytes a partition":             {"retention.ms": "86400000", "retention.bytes": "1001"},
		"keeps the last value of each key":          {"cleanup.policy": "compact"},
		"keeps the last value of each key, 2 hours": {"cleanup.policy": "compact,delete", "retention.ms": "7200000"},
	}
	for want, configs := range specs {
		apply(t, cl, []topics.Spec{{Name: "topic", Partitions: 1, ReplicationFactor: 1, Configs: configs}})
		list, err := topics.List(t.Context(), cl, false)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, list[0].Retention, want)
		if _, err := topics.Delete(t.Context(), cl, []string{"topic"}); err != nil {
			t.Fatal(err)
		}
	}
}
