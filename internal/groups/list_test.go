package groups_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/groups"
)

func TestListByState(t *testing.T) {
	c, cl := cluster(t, 1)
	produce(t, cl, 0, time.Hour)
	join(t, c, "live", 1)
	if err := join(t, c, "left", 1).LeaveGroupContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	commit(t, cl, "empty", "t", map[int32]int64{0: 0})
	for state, want := range map[string][]string{"empty": {"empty", "left"}, "Stable": {"live"}, "Dead": nil, "": {"empty", "left", "live"}} {
		list, err := groups.List(t.Context(), cl, slices.DeleteFunc([]string{state}, func(s string) bool { return s == "" }))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, g := range list {
			names = append(names, g.Group)
		}
		equal(t, names, want)
	}
}

func TestListFails(t *testing.T) {
	c, cl := cluster(t, 1, kfake.NumBrokers(2))
	for _, group := range []string{"a", "b", "c", "d", "e", "f"} {
		commit(t, cl, group, "t", map[int32]int64{0: 0})
	}
	all := c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListGroups}, Err: kerr.UnknownServerError, Count: -1})
	if list, err := groups.List(t.Context(), cl, nil); list != nil || !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("got %+v, %v", list, err)
	}
	all.Remove()
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.ListGroups}, Err: kerr.UnknownServerError}) // of one broker
	list, err := groups.List(t.Context(), cl, nil)
	if len(list) == 0 || len(list) == 6 || !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("got %d groups, %v", len(list), err)
	}
}

func TestShareGroup(t *testing.T) {
	c, cl := cluster(t, 1)
	produce(t, cl, 0, time.Hour)
	share := client(t, c, kgo.ShareGroup("s"), kgo.ConsumeTopics("t"))
	deadline := time.After(20 * time.Second)
	for {
		list, err := groups.List(t.Context(), cl, []string{"stable"})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			equal(t, list[0], groups.Summary{Group: "s", State: "Stable", Type: "share", ProtocolType: "share", Coordinator: list[0].Coordinator, Topics: []string{}})
			break
		}
		select {
		case <-deadline:
			t.Fatal("the share group never came")
		default:
		}
	}
	want := `group "s" is a share group: the broker gives out its records one by one, it has no committed offsets`
	if _, err := groups.Describe(t.Context(), cl, []string{"s"}, nil); err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
	share.Close()
}
