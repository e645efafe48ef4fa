package rabbitserver

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"
)

// A node that was killed starts again with its data, on the same port.
func TestStartAgain(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s, err := New(ctx)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Kill(); _ = s.Remove() })
	for range 2 {
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		s.Kill()
		if s.speaks(ctx) {
			t.Fatal("a killed node answers")
		}
	}
}
