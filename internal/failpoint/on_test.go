//go:build failpoint

package failpoint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// await hits a point until it does what is wanted.
func await(t *testing.T, s *set, name string, fails bool) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for (s.hit(name) != nil) != fails {
		if time.Now().After(deadline) {
			t.Fatalf("%s: failing is not %t", name, fails)
		}
	}
}

func TestNthHit(t *testing.T) {
	t.Setenv("TODOCTL_FAILPOINT", "a=error@3 b=pause:30ms@1")
	s := fromEnvironment()
	for hit := 1; hit <= 6; hit++ {
		if err := s.hit("a"); (err != nil) != (hit == 3) {
			t.Errorf("hit %d: %v", hit, err)
		}
	}
	began := time.Now()
	if err := s.hit("b"); err != nil || time.Since(began) < 30*time.Millisecond {
		t.Errorf("pause: %v after %s", err, time.Since(began))
	}
	if err := s.hit("c"); err != nil {
		t.Error(err)
	}
}

// The same seed fails the same hits.
func TestOneHitInN(t *testing.T) {
	t.Setenv("TODOCTL_FAILPOINT", "a=error@1/5")
	t.Setenv("TODOCTL_FAILPOINT_SEED", "7")
	first, second := fromEnvironment(), fromEnvironment()
	failed := 0
	for hit := range 500 {
		one, other := first.hit("a") != nil, second.hit("a") != nil
		if one != other {
			t.Fatalf("hit %d differs with the same seed", hit)
		}
		if one {
			failed++
		}
	}
	if failed < 60 || failed > 140 {
		t.Errorf("%d of 500 hits failed, want about 100", failed)
	}
}

func TestFileIsReadAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "points")
	t.Setenv("TODOCTL_FAILPOINT", "@"+file)
	s := fromEnvironment()
	if err := s.hit("a"); err != nil {
		t.Fatal(err)
	}
	for _, terms := range []string{"a=error@1/1", ""} {
		if err := os.WriteFile(file, []byte(terms), 0o600); err != nil {
			t.Fatal(err)
		}
		await(t, s, "a", terms != "")
	}
	log, err := os.ReadFile(file + ".log")
	if first, _, _ := strings.Cut(string(log), "\n"); err != nil || first != "a error" {
		t.Errorf("log begins with %q, %v", first, err)
	}
}

func TestMisspeltTermsAreRefused(t *testing.T) {
	for _, text := range []string{"a", "a=kill", "a=die@1", "a=kill@0", "a=kill@1/x", "a=pause@1", "a=error:3s@1"} {
		if terms, err := parse(text); err == nil {
			t.Errorf("%s: read as %+v", text, terms)
		}
	}
}
