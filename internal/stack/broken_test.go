//go:build unix

package stack

import (
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func component(name, kind string, metadata ...string) string {
	var b strings.Builder
	b.WriteString("apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: " + name +
		"\nspec:\n  type: " + kind + "\n  version: v1\n  metadata:\n")
	for i := 0; i < len(metadata); i += 2 {
		b.WriteString("    - name: " + metadata[i] + "\n      value: " + strconv.Quote(metadata[i+1]) + "\n")
	}
	return b.String()
}

// What a real daprd says of a broken resource comes out as one line.
func TestBrokenResources(t *testing.T) {
	kafka := func(metadata ...string) string { return component("pubsub-kafka", "pubsub.kafka", metadata...) }
	tests := []struct {
		name  string
		files map[string]string
		want  string
	}{
		{
			"initialOffset as Kafka spells it",
			map[string]string{"a.yaml": kafka("brokers", "127.0.0.1:1", "authType", "none", "initialOffset", "earliest")},
			`start sidecar: component "pubsub-kafka" (pubsub.kafka/v1): kafka error: invalid initialOffset: earliest`,
		},
		{
			"no authType",
			map[string]string{"a.yaml": kafka("brokers", "127.0.0.1:1")},
			`start sidecar: component "pubsub-kafka" (pubsub.kafka/v1): kafka error: 'authType' attribute was missing or empty`,
		},
		{
			"unknown type",
			map[string]string{"a.yaml": component("jobs", "workmanager.jobscheduler")},
			`start sidecar: component "jobs": unknown component type workmanager.jobscheduler`,
		},
		{
			"a name twice",
			map[string]string{"a.yaml": component("pubsub", "pubsub.in-memory"), "b.yaml": component("pubsub", "pubsub.in-memory")},
			`start sidecar: component "pubsub" is defined twice in the resources, as pubsub.in-memory/v1 and as pubsub.in-memory/v1: keep one`,
		},
		{
			"broker is down",
			map[string]string{"a.yaml": kafka("brokers", "127.0.0.1:1", "authType", "none")},
			`start sidecar: component "pubsub-kafka" (pubsub.kafka/v1): failed to get latest Kafka clients for initialization: kafka: client has run out of available brokers to talk to: dial tcp 127.0.0.1:1: connect: connection refused`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.files {
				writeTestFile(t, filepath.Join(dir, name), content, 0o600)
			}
			opts := SidecarOptions{ResourcesPath: []string{dir}}
			fill(t, &opts)
			began := time.Now()
			_, err := StartSidecar(t.Context(), opts)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error\n  %v\nwant\n  %s", err, tt.want)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("took %s to fail", took)
			}
		})
	}
}

func TestMissingResources(t *testing.T) {
	opts := SidecarOptions{ResourcesPath: []string{filepath.Join(t.TempDir(), "nowhere")}}
	fill(t, &opts)
	_, err := StartSidecar(t.Context(), opts)
	wantError(t, err, "resources path", "nowhere")
}

func TestBoilDown(t *testing.T) {
	tests := map[string]string{
		"Fatal error from runtime: failed to listen on 127.0.0.1:9090: bind: address already in use": "failed to listen on 127.0.0.1:9090: bind: address already in use",
		"panic: runtime error: index out of range":                                                   "panic: runtime error: index out of range",
		"Failed to parse flags: unknown flag: --nope":                                                "Failed to parse flags: unknown flag: --nope",
		"process component a error: incorrect type b.c":                                              `component "a": unknown component type b.c`,
	}
	for message, want := range tests {
		if got := boilDown(message); got != want {
			t.Errorf("boilDown(%q)\n = %q, want %q", message, got, want)
		}
	}
}

func TestRestartsAreBounded(t *testing.T) {
	var past restarts
	now := time.Unix(0, 0)
	for i, want := range []time.Duration{200, 400, 800, 1600, 3200} {
		if got, ok := past.next(now); !ok || got != want*time.Millisecond {
			t.Fatalf("restart %d: %s, %v", i+1, got, ok)
		}
	}
	if _, ok := past.next(now.Add(59 * time.Second)); ok {
		t.Error("a sixth restart within the minute")
	}
	if got, ok := past.next(now.Add(time.Minute)); !ok || got != firstDelay {
		t.Errorf("a minute later: %s, %v", got, ok)
	}
}

func TestRestartGivesUp(t *testing.T) {
	s := &Sidecar{}
	past := restarts{at: []time.Time{time.Now(), time.Now(), time.Now(), time.Now(), time.Now()}}
	_, _, err := s.restart(t.Context(), &past, errors.New("signal: killed"))
	wantError(t, err, "died 6 times within 1m0s", "signal: killed")
}
