package groups_test

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAgeSeesRecordsOnly(t *testing.T) {
	c, cl := cluster(t, 3)
	tx := transactional(t, c)
	transact := func(partition int32, end *kgo.TransactionEndTry, age time.Duration) {
		t.Helper()
		if err := tx.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		produce(t, tx, partition, age)
		if end == nil {
			return
		}
		if err := tx.EndTransaction(t.Context(), *end); err != nil {
			t.Fatal(err)
		}
	}
	commits, aborts := kgo.TryCommit, kgo.TryAbort
	transact(0, &commits, 5*time.Hour) // 0 record, 1 marker
	transact(1, &aborts, 5*time.Hour)  // 0 aborted record, 1 marker
	produce(t, cl, 1, time.Hour)       // 2 record
	transact(2, &aborts, 5*time.Hour)
	transact(2, nil, 3*time.Hour) // 2 open
	commit(t, cl, "g", "t", map[int32]int64{0: 1, 1: 0, 2: 0})

	p := describe(t, cl, "g")[0].Partitions
	equal(t, []int64{*p[0].Lag, *p[1].Lag, *p[2].Lag}, []int64{1, 3, 3})
	equal(t, *p[0].LagSeconds, 0.0)
	within(t, p[1].LagSeconds, time.Hour)
	within(t, p[2].LagSeconds, 3*time.Hour)
	if err := tx.EndTransaction(t.Context(), aborts); err != nil {
		t.Fatal(err)
	}
}

func TestAgeUnknown(t *testing.T) {
	c, cl := cluster(t, 1)
	produce(t, cl, 0, time.Hour)
	commit(t, cl, "g", "t", map[int32]int64{0: 0})
	c.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "t", Err: kerr.TopicAuthorizationFailed})
	d := describe(t, cl, "g")[0]
	p := d.Partitions[0]
	equal(t, []any{*p.Lag, p.LagSeconds == nil, d.LagSeconds == nil}, []any{int64(1), true, true})
	if want := "read the record at 0: " + kerr.TopicAuthorizationFailed.Error(); p.Error != want {
		t.Errorf("got %q, want %q", p.Error, want)
	}
}
