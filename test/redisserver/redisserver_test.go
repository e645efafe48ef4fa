package redisserver

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// What a server has acknowledged is there after it was killed.
func TestKeepsWhatItAcknowledged(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := New(ctx)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Kill(); _ = s.Remove() })
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if answer, err := s.Do(ctx, "SADD", "kept", "it"); answer != ":1" {
		t.Fatal(answer, err)
	}
	s.Kill()
	if answer, err := s.Do(ctx, "PING"); err == nil {
		t.Fatalf("a killed server answers %q", answer)
	}
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if answer, err := s.Do(ctx, "SISMEMBER", "kept", "it"); answer != ":1" {
		t.Error(answer, err)
	}
}
