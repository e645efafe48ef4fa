package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/todoctl/todoctl/internal/task"
)

const lease = time.Minute

// owe has an event owe a delivery to each consumer, due at a time.
func owe(t *testing.T, s *Store, event string, due time.Time, consumers ...string) []task.Delivery {
	t.Helper()
	var list []task.Delivery
	for _, consumer := range consumers {
		list = append(list, task.Delivery{Consumer: consumer, Payload: []byte(consumer + " \x00\xff"), Due: due})
	}
	fresh, err := s.Accept(t.Context(), "instead", event, list)
	if err != nil {
		t.Fatal(err)
	}
	return fresh
}

// claims takes what is due and returns it by consumer, and when the next is.
func claims(t *testing.T, s *Store) (map[string]task.Delivery, time.Time) {
	t.Helper()
	list, next, err := s.ClaimDeliveries(t.Context(), 10, lease)
	if err != nil {
		t.Fatal(err)
	}
	claimed := map[string]task.Delivery{}
	for _, d := range list {
		claimed[d.Consumer] = d
	}
	return claimed, next
}

func names[V any](m map[string]V) []string {
	var list []string
	for name := range m {
		list = append(list, name)
	}
	return list
}

func wantClaims(t *testing.T, what string, s *Store, want ...string) map[string]task.Delivery {
	t.Helper()
	got, _ := claims(t, s)
	if diff := cmp.Diff(want, names(got), cmpopts.SortSlices(func(x, y string) bool { return x < y }), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s: claimed (-want +got):\n%s", what, diff)
	}
	return got
}

func TestDeliveryIsOwedOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		now := clock.Now()
		want := []task.Delivery{{Consumer: "a", EventID: "e", Payload: []byte("a \x00\xff"), ReceivedAt: now, Due: now.Add(lease)}}
		if diff := cmp.Diff(want, owe(t, s, "e", now.Add(lease), "a")); diff != "" {
			t.Errorf("accepted (-want +got):\n%s", diff)
		}
		if fresh := owe(t, s, "e", now, "a", "b"); len(fresh) != 1 || fresh[0].Consumer != "b" {
			t.Errorf("accepted %+v, want b only", fresh)
		}
		handle(t, s, "instead", "f", nil)
		if fresh := owe(t, s, "f", now, "a"); len(fresh) != 0 {
			t.Errorf("accepted %+v of an event that was handled instead", fresh)
		}
		b := wantClaims(t, "what is due", s, "b")["b"]
		wantClaims(t, "nothing else", s)
		if err := s.Delivered(t.Context(), b); err != nil {
			t.Error(err)
		}
		if fresh := owe(t, s, "e", now, "b"); len(fresh) != 0 {
			t.Errorf("accepted %+v, which was delivered", fresh)
		}
		// Whoever had a is gone: another gets it when its time is over.
		clock.advance(lease)
		a := wantClaims(t, "left behind", s, "a")["a"]
		want[0].Due = now.Add(2 * lease)
		if diff := cmp.Diff(want[0], a); diff != "" {
			t.Errorf("claimed (-want +got):\n%s", diff)
		}
		// What was given up is owed anew when it comes once more.
		if err := s.GiveUp(t.Context(), a); err != nil {
			t.Error(err)
		}
		if fresh := owe(t, s, "e", now, "a", "b"); len(fresh) != 1 || fresh[0].Consumer != "a" {
			t.Errorf("accepted %+v, want a only", fresh)
		}
	})
}

func TestDeliveryIsPutOff(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		start := clock.Now()
		owe(t, s, "e", start, "a")
		first := wantClaims(t, "first", s, "a")["a"]
		putOff := func(d task.Delivery, until time.Time, cause error) {
			t.Helper()
			if err := s.PutOff(t.Context(), d, until, cause); err != nil {
				t.Error(err)
			}
		}
		putOff(first, start.Add(time.Second), errors.New("no\x00 luck\xff"))
		if _, next := claims(t, s); !next.Equal(start.Add(time.Second)) {
			t.Errorf("the next is due at %s", next)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, url, Options{Now: clock.Now})
		clock.advance(time.Second)
		second := wantClaims(t, "second", s, "a")["a"]
		// Who held it before can't put it off any more: it is somebody else's.
		putOff(first, start.Add(time.Hour), errors.New("late"))
		putOff(second, clock.Now(), nil)
		third := wantClaims(t, "third", s, "a")["a"]
		if third.Attempts != 1 || second.Attempts != 1 || !third.ReceivedAt.Equal(start) {
			t.Errorf("second %+v, third %+v; want one failed attempt", second, third)
		}
		if n := number(t, s, "SELECT count(*) FROM deliveries WHERE last_error = 'no luck\uFFFD'"); n != 1 {
			t.Error("the cause isn't kept")
		}
	})
}

// The same event at several replicas at once, and what is due claimed by all of them.
func TestDeliveryRaceHasOneWinner(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url)}
		const events = 20
		var fresh, claimed atomic.Int64
		due := time.Now().Add(-time.Second)
		inParallel(4*events, func(i int) {
			list, err := stores[i%2].Accept(context.Background(), "instead", fmt.Sprint(i/4), []task.Delivery{{Consumer: "a", Payload: []byte("p"), Due: due}})
			if err != nil {
				t.Error(err)
			}
			fresh.Add(int64(len(list)))
		})
		inParallel(8, func(i int) {
			for range events {
				list, _, err := stores[i%2].ClaimDeliveries(context.Background(), 3, time.Hour)
				if err != nil {
					t.Error(err)
				}
				claimed.Add(int64(len(list)))
			}
		})
		if fresh.Load() != events || claimed.Load() != events {
			t.Errorf("%d fresh, %d claimed; want %d of each", fresh.Load(), claimed.Load(), events)
		}
	})
}

func TestReceiptsArePruned(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		clock := newClock()
		s := openStore(t, url, Options{Now: clock.Now})
		handle(t, s, "a", "old", nil)
		before := clock.Now().Add(time.Second)
		clock.advance(time.Hour)
		handle(t, s, "a", "young", nil)
		mustExec(t, s, "INSERT INTO attempts (consumer, event_id, count, first_at, last_at, last_error) VALUES ('a', 'old', 1, $1, $1, '')", before.Add(-time.Minute))
		if n, err := s.Prune(t.Context(), before); n != 2 || err != nil {
			t.Errorf("pruned %d, %v; want an attempt and a receipt", n, err)
		}
		if handle(t, s, "a", "young", nil) {
			t.Error("a young receipt was pruned")
		}
	})
}
