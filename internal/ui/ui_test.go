package ui

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPrint(t *testing.T) {
	value := struct {
		Name  string   `json:"name"`
		Big   int64    `json:"big"`
		Tags  []string `json:"tags"`
		Empty []string `json:"empty"`
		Text  string   `json:"text"`
	}{"a<b", 9007199254740993, []string{"x", "yes"}, []string{}, "7"}
	tests := map[Format]string{
		Text: "hello\n",
		JSON: "{\n  \"kind\": \"thing\",\n  \"version\": 1,\n  \"name\": \"a<b\",\n  \"big\": 9007199254740993,\n" +
			"  \"tags\": [\n    \"x\",\n    \"yes\"\n  ],\n  \"empty\": [],\n  \"text\": \"7\"\n}\n",
		YAML: "kind: thing\nversion: 1\nname: a<b\nbig: 9007199254740993\ntags:\n  - x\n  - \"yes\"\nempty: []\ntext: \"7\"\n",
	}
	for format, want := range tests {
		t.Run(string(format), func(t *testing.T) {
			var out bytes.Buffer
			p := Printer{Out: &out, Format: format}
			if err := p.Print("thing", value, func(w io.Writer) { fmt.Fprintln(w, "hello") }); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
	if err := (Printer{Out: io.Discard, Format: JSON}).Print("thing", []int{1}, nil); err == nil {
		t.Error("a list was printed as an object")
	}
}

func TestTable(t *testing.T) {
	header := []string{"TOPIC", "PARTITIONS", "NOTE"}
	rows := [][]string{{"task-events", "3", ""}, {"reminders-dlq", "3", "evil\x1b[31m\ntitle"}}
	var wide, narrow strings.Builder
	Printer{}.Table(&wide, header, rows)
	want := "TOPIC          PARTITIONS  NOTE\n" +
		"task-events    3\n" +
		"reminders-dlq  3           evil\\x1b[31m\\ntitle\n"
	if diff := cmp.Diff(want, wide.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	Printer{Width: 30}.Table(&narrow, header, rows)
	for line := range strings.Lines(narrow.String()) {
		if n := len([]rune(strings.TrimSpace(line))); n > 30 {
			t.Errorf("line of %d columns on a terminal of 30: %q", n, line)
		}
	}
}

func TestLogHandler(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(NewLogHandler(&out, slog.LevelInfo, false)).With(PartKey, "sidecar")
	log.Debug("not shown")
	at := time.Date(2026, 2, 17, 12, 0, 1, 0, time.UTC)
	r := slog.NewRecord(at, slog.LevelWarn, "broker away\nat \x1b[2J", 0)
	r.AddAttrs(slog.String("topic", "task-events"), slog.Group("req", slog.Int("n", 3)), slog.String("err", `a "b"`))
	if err := log.With("scope", "dapr").WithGroup("g").Handler().Handle(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	want := `12:00:01 sidecar  warn  broker away\nat \x1b[2J scope=dapr g.topic=task-events g.req.n=3 g.err="a \"b\""` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestStylesOnlyWithColor(t *testing.T) {
	if got := (Printer{}).Bad("x"); got != "x" {
		t.Errorf("without colour: %q", got)
	}
	if got := (Printer{Color: true}).Bad("x"); !strings.Contains(got, "\x1b[") || !strings.Contains(got, "x") {
		t.Errorf("with colour: %q", got)
	}
}

func TestAtLevelFollowsTheLevel(t *testing.T) {
	var out bytes.Buffer
	var level slog.LevelVar
	level.Set(slog.LevelWarn)
	log := slog.New(AtLevel(&level, NewLogHandler(&out, slog.LevelDebug, false))).With(PartKey, "sidecar")
	log.Info("before")
	level.Set(slog.LevelInfo)
	log.Info("after")
	if got := out.String(); strings.Contains(got, "before") || !strings.Contains(got, "after") {
		t.Errorf("log = %q", got)
	}
}
