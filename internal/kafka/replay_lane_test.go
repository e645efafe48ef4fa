package kafka

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Next passes a record when it and all before it are acknowledged, and what the
// filter left out with the record before.
func TestLane(t *testing.T) {
	l := &lane{done: ReplayPartition{From: 10, Next: 10, To: 20}}
	at := func(offset int64) *kgo.Record { return &kgo.Record{Offset: offset, Value: []byte("v")} }
	want := func(next, records, filtered int64) {
		t.Helper()
		p := ReplayPartition{From: 10, To: 20, Next: next, Records: records, Bytes: records, Filtered: filtered}
		if diff := cmp.Diff(p, l.done); diff != "" {
			t.Fatal(diff)
		}
	}
	l.skip(at(10))
	want(11, 0, 1)
	a, b, c := l.add(at(11)), l.add(at(12)), l.add(at(14))
	l.skip(at(15))
	l.ack(c)
	want(11, 0, 1)
	l.ack(a)
	want(12, 1, 1)
	d := l.add(at(17))
	l.ack(b)
	want(16, 3, 2)
	l.skip(at(18))
	l.ack(d)
	want(19, 4, 3)
	l.ack(l.add(at(12))) // a broker that lost records sends old ones again
	want(19, 5, 3)
}

func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := pace{rate: 10}, time.Now()
		for range 31 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 3*time.Second {
			t.Errorf("31 records at 10 a second took %v", took)
		}
		<-time.After(time.Minute) // what was missed is not made up for
		began = time.Now()
		for range 11 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != time.Second {
			t.Errorf("after a pause 11 records took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := p.wait(ctx); err == nil {
			t.Error("waited after the end")
		}
	})
}
