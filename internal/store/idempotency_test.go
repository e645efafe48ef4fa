package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

func keyed(c task.Change, key, fingerprint string) task.Change {
	c.IdempotencyKey, c.Fingerprint = key, fingerprint
	return c
}

func TestIdempotencyKeyReplaysTheAnswer(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		c := keyed(create("u1", "once"), "k1", "f1")
		c.Patch.Tags = ptr([]string{})
		first, err := s.Change(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		change(t, s, rename("u1", first.Task.ID, "renamed since"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = openStore(t, url)
		again, err := s.Change(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		want := task.Result{Task: first.Task, Replayed: true}
		if diff := cmp.Diff(want, again); diff != "" {
			t.Errorf("second answer (-want +got):\n%s", diff)
		}
		if _, err := s.Change(t.Context(), keyed(create("u1", "other"), "k1", "f2")); !errors.Is(err, task.ErrKeyReused) {
			t.Errorf("other request: %v, want ErrKeyReused", err)
		}
		if other := change(t, s, keyed(create("u2", "mine"), "k1", "f3")); other.ID == first.Task.ID {
			t.Error("keys of two users are one")
		}
	})
}

func TestIdempotencyKeyOfAFailedChangeStaysFree(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		if _, err := s.Change(t.Context(), keyed(create("u1", ""), "k", "f")); err == nil {
			t.Fatal("an empty title was taken")
		}
		change(t, s, keyed(create("u1", "better"), "k", "g"))
	})
}

func TestIdempotencyKeyTwiceInOneTransaction(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		c := keyed(create("u1", "once"), "k", "f")
		got := queueUp(s, c, c, keyed(c, "k", "other"))
		if got[0].err != nil || got[1].err != nil || !got[1].result.Replayed || got[1].result.Task.ID != got[0].result.Task.ID {
			t.Errorf("got %+v and %+v, want a replay", got[0], got[1])
		}
		if !errors.Is(got[2].err, task.ErrKeyReused) {
			t.Errorf("third: %v, want ErrKeyReused", got[2].err)
		}
	})
}

func TestIdempotencyKeyRaceMakesOneChange(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		stores := []*Store{openStore(t, url), openStore(t, url)}
		const keys = 8
		var made, replayed atomic.Int64
		inParallel(48, func(i int) {
			for k := range keys {
				key := fmt.Sprint("key ", (k+i)%keys) // in another order on each side
				result, err := stores[i%2].Change(context.Background(), keyed(create("u1", key), key, "f"))
				switch {
				case err != nil:
					t.Error(err)
				case result.Replayed:
					replayed.Add(1)
				default:
					made.Add(1)
				}
			}
		})
		if made.Load() != keys || replayed.Load() != 47*keys {
			t.Errorf("%d made and %d replayed, want %d and %d", made.Load(), replayed.Load(), keys, 47*keys)
		}
		if n := number(t, stores[0], "SELECT count(*) FROM tasks"); n != keys {
			t.Errorf("%d tasks, want %d", n, keys)
		}
		checkWhole(t, stores[0])
	})
}
