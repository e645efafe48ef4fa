package main

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTableIsMarkdown(t *testing.T) {
	table := table{title: "Relay", head: []string{"", "events/s"}}
	table.add("bare", spread{48000, 47000, 49000}.counts())
	table.add("relay ×", "1")
	var got bytes.Buffer
	table.print(&got)
	want := `
### Relay

|         | events/s               |
| ------- | ---------------------- |
| bare    | 48,000 (47,000–49,000) |
| relay × | 1                      |
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestCPUTable(t *testing.T) {
	got := cpuTable("CPU", []standing{
		{"bare", []turn{{cpu: map[string]float64{"sidecar": 10}}, {cpu: map[string]float64{"sidecar": 20}}, {cpu: map[string]float64{"sidecar": 90}}}},
		{"relay", []turn{{cpu: map[string]float64{"sidecar": 30, "database": 5}}}},
	})
	want := [][]string{{"bare", "", "20", "20"}, {"relay", "5", "30", "35"}}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"", "database", "sidecar", "all"}, got.head); diff != "" {
		t.Error(diff)
	}
}

func TestPgbenchReport(t *testing.T) {
	rate, n, err := parsePgbench([]byte(`number of transactions actually processed: 41337
number of failed transactions: 0 (0.000%)
latency average = 12.380 ms
initial connection time = 40.1 ms
tps = 5169.512345 (without initial connection time)
`))
	if rate != 5169.512345 || n != 41337 || err != nil {
		t.Errorf("%v/s, %d, %v", rate, n, err)
	}
	if _, _, err := parsePgbench([]byte("pgbench: error: connection failed")); err == nil {
		t.Error("a report without a rate is taken")
	}
}

// The name of a program may hold anything.
func TestProcStat(t *testing.T) {
	got := parseStat("4711 (a) R 1 (b) S 4242 4711 4711 0 -1 4194304 100 0 0 0 150 50 7 3 20 0 9 0 12345\n")
	want := usage{parent: 4242, time: 2100 * time.Millisecond}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := parseStat("4711 (cut"); got != (usage{}) {
		t.Errorf("%+v of half a line", got)
	}
}

// A server's time is that of its children too, but not of others.
func TestCPUTimeOfATree(t *testing.T) {
	list := map[int]usage{1: {0, 100}, 10: {1, 1}, 11: {10, 2}, 12: {11, 4}, 20: {1, 8}}
	if got := cpuTime(list, 10); got != 7 {
		t.Errorf("%d, want 7", got)
	}
}

func TestWrongUsage(t *testing.T) {
	for name, args := range map[string][]string{
		"table":    {"speed"},
		"database": {"-db", "oracle"},
		"rounds":   {"-rounds", "0"},
		"program":  {"-todoctl", "/nowhere/todoctl"},
		"flag":     {"-fast"},
	} {
		t.Run(name, func(t *testing.T) {
			if o, err := parse(program{args: args, out: io.Discard, progress: io.Discard}); err == nil {
				t.Errorf("taken: %+v", o)
			}
		})
	}
}

func TestToolTable(t *testing.T) {
	got := toolTable("Tail", []ranking{
		{tool{name: "bare"}, []showing{{1, .5, 40}, {2, .5, 45}}},
		{tool{name: "half", goal: "≥ 0.5 ×"}, []showing{{2, 1, 50}, {4, 2, 60}}},
		{tool{name: "other", lacks: "no other on PATH"}, nil},
	}, 1000, 500)
	want := [][]string{
		{"bare", "750 (500–1,000)", "0", "1.00 × (1.00–1.00)", "", "0.5 (0.5–0.5)", "45"},
		{"half", "375 (250–500)", "0", "0.50 × (0.50–0.50)", "≥ 0.5 ×", "1.5 (1.0–2.0)", "60"},
		{"other", "not run: no other on PATH", "", "", "", "", ""},
	}
	if diff := cmp.Diff(want, got.rows); diff != "" {
		t.Error(diff)
	}
}

// The events of the tables are as large as they say, and each is JSON.
func TestCloudEvent(t *testing.T) {
	for _, n := range []int{0, 1, 100, 999_999, 30_000_000} {
		event := cloudEvent(nil, n)
		if len(event) != recordSize || !json.Valid(event) {
			t.Errorf("event %d of %d bytes: %s", n, len(event), event)
		}
	}
}
