package notify

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// channelFunc is a channel for tests.
type channelFunc func(ctx context.Context, n Notification) error

func (f channelFunc) Send(ctx context.Context, n Notification) error { return f(ctx, n) }

// outcomes sums results up in words.
func outcomes(results []Result) []string {
	var out []string
	for _, r := range results {
		switch {
		case r.Err == nil:
			out = append(out, r.Channel+" delivered")
		case IsPermanent(r.Err):
			out = append(out, r.Channel+" permanent: "+r.Err.Error())
		default:
			out = append(out, r.Channel+" transient: "+r.Err.Error())
		}
	}
	return out
}

// TestFan has one channel that hangs, one that fails and one that delivers: the
// latter isn't kept waiting, and the retry reaches only those that failed.
func TestFan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		var delivered time.Duration
		sends := map[string]int{}
		fan := NewFan()
		fan.Add("hangs", channelFunc(func(ctx context.Context, _ Notification) error {
			<-ctx.Done()
			return transient("%w", inTime(ctx, ctx.Err()))
		}), 10*time.Second)
		fan.Add("fails", channelFunc(func(context.Context, Notification) error {
			return &Error{RetryAfter: time.Minute, Err: errors.New("busy")}
		}), time.Second)
		fan.Add("works", channelFunc(func(context.Context, Notification) error {
			delivered = time.Since(begin)
			sends["works"]++
			return nil
		}), time.Second)

		results := fan.Send(t.Context(), groceries(), []string{"hangs", "fails", "nowhere", "works", "works"})
		want := []string{
			"hangs transient: no answer in time", "fails transient: busy",
			`nowhere permanent: there is no channel "nowhere"`, "works delivered",
		}
		if diff := cmp.Diff(want, outcomes(results)); diff != "" {
			t.Error(diff)
		}
		if delivered != 0 || time.Since(begin) != 10*time.Second {
			t.Errorf("delivered after %v, all ended after %v; want at once, and 10 s", delivered, time.Since(begin))
		}
		if RetryAfter(results[1].Err) != time.Minute || RetryAfter(results[0].Err) != 0 {
			t.Errorf("Retry-After %v and %v, want 1m and none", RetryAfter(results[1].Err), RetryAfter(results[0].Err))
		}

		again := fan.Send(t.Context(), groceries(), []string{"hangs", "fails"})
		if len(again) != 2 || sends["works"] != 1 {
			t.Errorf("the retry had %v and reached the channel that had delivered %d times", outcomes(again), sends["works"])
		}
	})
}

func TestFanEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fan := NewFan()
		fan.Add("hangs", channelFunc(func(ctx context.Context, _ Notification) error {
			<-ctx.Done()
			return transient("%w", inTime(ctx, ctx.Err()))
		}), time.Hour)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		begin := time.Now()
		results := fan.Send(ctx, groceries(), []string{"hangs"})
		if !errors.Is(results[0].Err, context.Canceled) || IsPermanent(results[0].Err) || time.Since(begin) != time.Second {
			t.Errorf("after %v: %v", time.Since(begin), results[0].Err)
		}
	})
}

func TestFanRefusesANotificationWithoutID(t *testing.T) {
	fan := NewFan()
	fan.Add("works", channelFunc(func(context.Context, Notification) error { return nil }), time.Second)
	results := fan.Send(t.Context(), Notification{Title: "a"}, []string{"works"})
	if diff := cmp.Diff([]string{"works permanent: the notification has no id"}, outcomes(results)); diff != "" {
		t.Error(diff)
	}
	if results := fan.Send(t.Context(), groceries(), nil); len(results) != 0 {
		t.Errorf("nobody named: %v", results)
	}
}
