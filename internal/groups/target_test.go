package groups_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/groups"
	"github.com/todoctl/todoctl/internal/kafka"
)

func TestParseTarget(t *testing.T) {
	now := time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)
	for in, want := range map[string]groups.Target{
		"start":       {Point: kafka.Point{Kind: kafka.Start}},
		"newest":      {Point: kafka.Point{Kind: kafka.End}},
		"42":          {Point: kafka.Point{Kind: kafka.At, N: 42}},
		"+10":         {Kind: groups.ToShift, Shift: 10},
		"-10":         {Kind: groups.ToShift, Shift: -10},
		"@-1h":        {Point: kafka.Point{Kind: kafka.AtTime, N: now.Add(-time.Hour).UnixMilli()}},
		"group:a:b":   {Kind: groups.ToGroup, Name: "a:b"},
		"file:-":      {Kind: groups.ToFile, Name: "-"},
		"file:./a b:": {Kind: groups.ToFile, Name: "./a b:"},
	} {
		got, err := groups.ParseTarget(in, now)
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		equal(t, got, want)
	}
	for _, in := range []string{"", "+", "-", "+-1", "--1", "1:2", "40:", ":50", "start:end", "@1h:", "@", "group:", "file:", "yesterday", "-1h", "9223372036854775808", strings.Repeat("x", 200)} {
		got, err := groups.ParseTarget(in, now)
		if err == nil || !strings.Contains(err.Error(), "is not a place to seek to; accepted are start, end") {
			t.Errorf("%q: got %+v, %v", in, got, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, s := range []string{"start", "+1", "-1", "@2026-02-17", "@-1h", "group:x", "file:-", "40:50", "@1:2", ""} {
		f.Add(s)
	}
	now := time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, s string) {
		to, err := groups.ParseTarget(s, now)
		if err != nil {
			if to != (groups.Target{}) {
				t.Errorf("%+v beside %v", to, err)
			}
			return
		}
		var again string
		switch to.Kind {
		case groups.ToShift:
			again = fmt.Sprintf("%+d", to.Shift)
		case groups.ToGroup:
			again = "group:" + to.Name
		case groups.ToFile:
			again = "file:" + to.Name
		default:
			again = to.Point.String()
		}
		if back, err := groups.ParseTarget(again, now); err != nil || back != to {
			t.Errorf("%q is %+v, but %q is %+v: %v", s, to, again, back, err)
		}
	})
}
