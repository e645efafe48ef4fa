package worker

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// A fakeReminders answers claims in turn and then says that none is scheduled.
type fakeReminders struct {
	begin  time.Time
	answer []func() (Claimed, error)
	at     []time.Duration // of the claims
}

func (r *fakeReminders) ClaimReminders(_ context.Context, limit int, maxLateness time.Duration) (Claimed, error) {
	if limit != claimBatch || maxLateness != time.Hour {
		return Claimed{}, errors.New("wrong arguments")
	}
	r.at = append(r.at, time.Since(r.begin))
	if len(r.answer) == 0 {
		return Claimed{}, nil
	}
	answer := r.answer[0]
	r.answer = r.answer[1:]
	return answer()
}

// runScheduler runs for a second and returns when it claimed and what it logged.
func runScheduler(t *testing.T, registry prometheus.Registerer, answers ...func(begin time.Time) (Claimed, error)) (at []time.Duration, log string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &fakeReminders{begin: time.Now()}
		for _, answer := range answers {
			r.answer = append(r.answer, func() (Claimed, error) { return answer(r.begin) })
		}
		var lines bytes.Buffer
		s := NewScheduler(SchedulerOptions{Reminders: r, MaxLateness: time.Hour, Log: slog.New(slog.NewTextHandler(&lines, nil)), Metrics: registry})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second+time.Millisecond)
		defer cancel()
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
		at, log = r.at, lines.String()
	})
	return at, log
}

func ms(n ...int) []time.Duration {
	list := make([]time.Duration, len(n))
	for i := range n {
		list[i] = time.Duration(n[i]) * time.Millisecond
	}
	return list
}

func TestSchedulerWakesInTime(t *testing.T) {
	next := func(after time.Duration, sent int) func(time.Time) (Claimed, error) {
		return func(begin time.Time) (Claimed, error) { return Claimed{Sent: sent, Next: begin.Add(after)}, nil }
	}
	for name, tt := range map[string]struct {
		answers []func(time.Time) (Claimed, error)
		want    []time.Duration
	}{
		"none: polls":            {nil, ms(0, 250, 500, 750, 1000)},
		"at the next one's time": {[]func(time.Time) (Claimed, error){next(100*time.Millisecond, 0)}, ms(0, 100, 350, 600, 850)},
		"far ahead: polls":       {[]func(time.Time) (Claimed, error){next(time.Hour, 0)}, ms(0, 250, 500, 750, 1000)},
		"full: soon":             {[]func(time.Time) (Claimed, error){next(-time.Second, claimBatch), next(-time.Second, claimBatch)}, ms(0, 10, 20, 270, 520, 770)},
		"held by another":        {[]func(time.Time) (Claimed, error){next(-time.Second, 0), next(-time.Second, 1)}, ms(0, 10, 20, 270, 520, 770)},
	} {
		if got, _ := runScheduler(t, nil, tt.answers...); cmp.Diff(tt.want, got) != "" {
			t.Errorf("%s: claims at %v, want %v", name, got, tt.want)
		}
	}
}

func TestSchedulerTellsOfMissedOnes(t *testing.T) {
	registry := prometheus.NewRegistry()
	missed := make([]task.Reminder, maxReported+2)
	_, log := runScheduler(t, registry, func(time.Time) (Claimed, error) { return Claimed{Sent: 3, Missed: missed}, nil })
	if n := strings.Count(log, "reminder missed: nobody is told"); n != maxReported || !strings.Contains(log, `"more reminders missed" reminders=2`) {
		t.Errorf("log:\n%s", log)
	}
	want := map[string]float64{"todo_reminders_claimed_total": 3, "todo_reminders_missed_total": maxReported + 2}
	if diff := cmp.Diff(want, values(t, registry)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestSchedulerOutlivesTheDatabase(t *testing.T) {
	away := func(time.Time) (Claimed, error) { return Claimed{}, task.ErrUnavailable }
	at, log := runScheduler(t, nil, away)
	if diff := cmp.Diff(ms(0, 1000), at); diff != "" || strings.Count(log, "level=ERROR") != 1 || strings.Count(log, "looked at again") != 1 {
		t.Errorf("claims at %v, log:\n%s", at, log)
	}
}
