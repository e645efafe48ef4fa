package load

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Every item is sent once, and the last call is as short as what is left.
func TestItemsOnce(t *testing.T) {
	var mu sync.Mutex
	sent := map[int64]int{}
	p := Plan{Clients: 4, Batch: 3, Items: 100, Send: func(_ context.Context, c Call) error {
		mu.Lock()
		defer mu.Unlock()
		for i := range c.Items {
			sent[c.First+int64(i)]++
		}
		return nil
	}}
	tally, err := p.Run(t.Context())
	if err != nil || tally.Items != 100 || tally.Times.Count() != 100 {
		t.Errorf("%d items, %d times, %v", tally.Items, tally.Times.Count(), err)
	}
	for i := range int64(100) {
		if sent[i] != 1 {
			t.Errorf("item %d was sent %d times", i, sent[i])
		}
	}
}

// A service that stalls for a second is charged for the calls that were due meanwhile.
func TestTimesCountFromWhenDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Plan{Clients: 1, Batch: 1, Items: 200, Rate: 100, Send: func(_ context.Context, c Call) error {
			if c.First == 50 {
				<-time.After(time.Second)
			}
			return nil
		}}
		tally, err := p.Run(t.Context())
		if err != nil || tally.Elapsed != 1990*time.Millisecond {
			t.Errorf("took %v: %v", tally.Elapsed, err)
		}
		if got := tally.Times.Quantile(.75); got < 450*time.Millisecond || got > 550*time.Millisecond {
			t.Errorf("a quarter of the calls had to wait: p75 is %v", got) // 100 of 200 waited, 0 to 1 s
		}
		if got := tally.Times.Quantile(.4); got != 0 {
			t.Errorf("p40 is %v", got)
		}
	})
}

func TestDuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Plan{Clients: 2, Batch: 10, Duration: 3 * time.Second, Rate: 100, Send: func(context.Context, Call) error { return nil }}
		tally, err := p.Run(t.Context())
		if err != nil || tally.Items != 300 {
			t.Errorf("%d items: %v", tally.Items, err)
		}
	})
}

// What was measured before an interruption or a failure is not lost.
func TestEnds(t *testing.T) {
	broken := errors.New("broken")
	for _, test := range []struct {
		name string
		end  func(cancel func()) error
		want error
	}{
		{"failure", func(func()) error { return broken }, broken},
		{"interruption", func(cancel func()) error { cancel(); return errors.New("cut off") }, context.Canceled},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := Plan{Clients: 1, Batch: 1, Items: 100, Send: func(_ context.Context, c Call) error {
				if c.First == 7 {
					return test.end(cancel)
				}
				return nil
			}}
			tally, err := p.Run(ctx)
			if !errors.Is(err, test.want) || tally.Items != 7 {
				t.Errorf("%d items, %v", tally.Items, err)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := Plan{Clients: 1, Batch: 1, Items: 1}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []Plan{{}, {Clients: 1, Batch: 1}, {Clients: 1, Batch: 1, Items: -1}, {Clients: 1, Batch: 1, Items: 1, Rate: -1}} {
		if bad.Check() == nil {
			t.Errorf("%+v is taken", bad)
		}
	}
}
