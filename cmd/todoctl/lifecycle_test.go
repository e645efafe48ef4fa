package main

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLifecycleStopsInReverse(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := newLifecycle(slog.New(slog.DiscardHandler))
	var order []string
	for _, name := range []string{"broker", "api", "relay"} {
		l.run(ctx, name, func(ctx context.Context) error {
			<-ctx.Done()
			order = append(order, name) // one at a time: each is waited for
			return nil
		})
	}
	l.started("sidecar", func(context.Context) error {
		order = append(order, "sidecar")
		return errors.New("was killed")
	})
	cancel()
	if err := l.wait(ctx); err != nil {
		t.Errorf("wait = %v", err)
	}
	if err := l.stop(ctx); err == nil || err.Error() != "stop sidecar: was killed" {
		t.Errorf("stop = %v", err)
	}
	if diff := cmp.Diff([]string{"sidecar", "relay", "api", "broker"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestLifecycleReportsAPartThatEnds(t *testing.T) {
	l := newLifecycle(slog.New(slog.DiscardHandler))
	l.run(t.Context(), "api", func(context.Context) error { return errors.New("listener closed") })
	if err := l.wait(t.Context()); err == nil || err.Error() != "api: listener closed" {
		t.Errorf("wait = %v", err)
	}
	if err := l.stop(t.Context()); err == nil {
		t.Error("the part's error is lost")
	}
}
