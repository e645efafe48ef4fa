package store

import (
	"context"
	"errors"
	"testing"
	"time"
)

// leadership is what Lead returned.
type leadership struct {
	ctx    context.Context
	giveUp func()
	err    error
}

func lead(ctx context.Context, s *Store) <-chan leadership {
	result := make(chan leadership, 1)
	go func() {
		var l leadership
		l.ctx, l.giveUp, l.err = s.Lead(ctx)
		result <- l
	}()
	return result
}

func await[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(5 * time.Second):
		t.Fatalf("%s: not within 5 s", what)
		panic("unreachable")
	}
}

func TestLeadPassesOn(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		first := await(t, "first leader", lead(t.Context(), openStore(t, url)))
		if first.err != nil {
			t.Fatal(first.err)
		}
		next := lead(t.Context(), openStore(t, url))
		select {
		case <-next:
			t.Fatal("two leaders at a time")
		case <-time.After(2 * leadPoll): // nothing happens, and that is to be seen
		}
		first.giveUp()
		if first.ctx.Err() == nil {
			t.Error("the context of a leader that gave up goes on")
		}
		second := await(t, "second leader", next)
		if second.err != nil || second.ctx.Err() != nil {
			t.Fatal(second.err, second.ctx.Err())
		}
		second.giveUp()
	})
}

func TestLeadEndsWithItsContext(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		first := await(t, "first leader", lead(t.Context(), openStore(t, url)))
		defer first.giveUp()
		ctx, cancel := context.WithCancel(t.Context())
		waiting := lead(ctx, openStore(t, url))
		cancel()
		if l := await(t, "cancelled follower", waiting); !errors.Is(l.err, context.Canceled) {
			t.Errorf("cancelled follower: %v", l.err)
		}
	})
}

func TestLeadIsLostWithItsConnection(t *testing.T) {
	url := newDatabase(t)
	s := openStore(t, url)
	first := await(t, "first leader", lead(t.Context(), s))
	next := lead(t.Context(), openStore(t, url))
	killLeader(t, s)
	await(t, "end of the first leadership", first.ctx.Done())
	if cause := context.Cause(first.ctx); !errors.Is(cause, errLeadershipLost) {
		t.Errorf("cause %v, want errLeadershipLost", cause)
	}
	second := await(t, "takeover", next)
	if second.err != nil {
		t.Fatal(second.err)
	}
	second.giveUp()
	first.giveUp()
}

// killLeader ends the session of whoever holds the leader's lock.
func killLeader(t *testing.T, s *Store) {
	t.Helper()
	n := number(t, s, `SELECT count(pg_terminate_backend(pid)) FROM pg_locks
		WHERE locktype = 'advisory' AND granted AND classid = $1
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`, leaderLock)
	if n != 1 {
		t.Fatalf("%d leaders were ended, want 1", n)
	}
}

// A leader that is silent, as a paused process is, loses the lock to the others.
func TestSilentLeaderIsReplaced(t *testing.T) {
	url := newDatabase(t)
	p := openStore(t, url).db.(*postgres)
	silent, err := campaign(t.Context(), p.leadConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(context.Background(), silent)
	next := await(t, "takeover", lead(t.Context(), openStore(t, url)))
	if next.err != nil {
		t.Fatal(next.err)
	}
	next.giveUp()
}
