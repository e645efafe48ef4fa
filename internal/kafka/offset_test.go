package kafka_test

import (
	"strings"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/kafka"
)

func at(t time.Time) kafka.Point { return kafka.Point{Kind: kafka.AtTime, N: t.UnixMilli()} }

func TestParseRange(t *testing.T) {
	now := time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)
	day := time.Date(2026, 2, 14, 0, 0, 0, 0, time.UTC)
	n := func(kind kafka.PointKind, n int64) kafka.Point { return kafka.Point{Kind: kind, N: n} }
	start, end, open := kafka.Point{Kind: kafka.Start}, kafka.Point{Kind: kafka.End}, kafka.Point{}
	for in, want := range map[string]kafka.Range{
		"start": {From: start}, "oldest": {From: start}, "beginning": {From: start}, "earliest": {From: start},
		"end": {From: end}, "newest": {From: end}, "latest": {From: end},
		"47": {From: n(kafka.At, 47)}, "47:": {From: n(kafka.At, 47)},
		"+3": {From: n(kafka.AfterStart, 3)}, "-3": {From: n(kafka.BeforeEnd, 3)},
		"2:5": {From: n(kafka.At, 2), To: n(kafka.At, 5)}, ":5": {From: start, To: n(kafka.At, 5)},
		":end": {From: start, To: end}, "start:end": {From: start, To: end},
		"-10:end": {From: n(kafka.BeforeEnd, 10), To: end}, "oldest:newest": {From: start, To: end},
		"+2:-3":                   {From: n(kafka.AfterStart, 2), To: n(kafka.BeforeEnd, 3)},
		"@2026-02-14":             {From: at(day)},
		"@2026-02-14:":            {From: at(day)},
		"@2026-02-14:1h":          {From: at(day), To: at(day.Add(time.Hour))},
		"@2026-02-14:-1h":         {From: at(day), To: at(now.Add(-time.Hour))},
		"@2026-02-14:2026-02-15":  {From: at(day), To: at(day.Add(24 * time.Hour))},
		"@:2026-02-14T00:00:00Z":  {From: start, To: at(day)},
		"@2026-02-14:end":         {From: at(day), To: end},
		"@1771027200":             {From: at(day)},
		"@1771027200000":          {From: at(day)},
		"@1771027200000000":       {From: at(day)},
		"@1771027200000000000":    {From: at(day)},
		"@-1h":                    {From: at(now.Add(-time.Hour))},
		"@1h30m":                  {From: at(now.Add(-90 * time.Minute))},
		"@2d":                     {From: at(now.Add(-48 * time.Hour))},
		"@1w1d1h":                 {From: at(now.Add(-193 * time.Hour))},
		"@-48h:-24h":              {From: at(now.Add(-48 * time.Hour)), To: at(now.Add(-24 * time.Hour))},
		"@2d:1d":                  {From: at(now.Add(-48 * time.Hour)), To: at(now.Add(-24 * time.Hour))},
		"@-1m:end":                {From: at(now.Add(-time.Minute)), To: end},
		"@:-1h":                   {From: start, To: at(now.Add(-time.Hour))},
		"@1960-01-01T00:00:00Z":   {From: at(time.Unix(0, 0))},
		"@2026-02-14T01:00:00.5Z": {From: at(day.Add(time.Hour + time.Second/2))},
		"@2026-02-14T02:00:00+02:00:2026-02-14T02:00:00+01:00": {From: at(day), To: at(day.Add(time.Hour))},
	} {
		got, err := kafka.ParseRange(in, now)
		if err != nil {
			t.Errorf("%s: %v", in, err)
			continue
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", in, got, want)
		}
		if want.From == open {
			t.Errorf("%s: starts nowhere", in)
		}
	}
}

func TestParseRangeErrors(t *testing.T) {
	for in, why := range map[string]string{
		"":                              "it is empty",
		":":                             "it is empty",
		"@":                             `"" is not a time`,
		"@:":                            `":" is not a time`,
		"first":                         `"first" is not an offset`,
		"5:5":                           "its end is not after its start",
		"9:5":                           "its end is not after its start",
		"-3:-5":                         "its end is not after its start",
		"start:start":                   "its end is not after its start",
		"@1h:2h":                        "its end is not after its start",
		"1:2:3":                         `"2:3" is not an offset`,
		"--5":                           `"--5" is not an offset`,
		"+-5":                           `"+-5" is not an offset`,
		"99999999999999999999":          "is not an offset",
		"@20260214":                     `"20260214" is not a time`,
		"@2026-02-30":                   "is not a time",
		"@end":                          "is not a time",
		"@1h:2026-02-14T00:00:x":        "is not a time",
		"@99999999999d":                 "is not a time",
		"@--1h":                         "is not a time",
		"@" + strings.Repeat(":", 1000): "it is too long",
	} {
		_, err := kafka.ParseRange(in, epoch)
		if err == nil {
			t.Errorf("%q: no error", in)
			continue
		}
		for _, part := range []string{why, "accepted are start, end, 42", "@TIME:TIME"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v doesn't say %s", in, err, part)
			}
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{"start", ":end", "-10:end", "+2:-3", "5:9", "@2d:1h", "@2026-02-14:1h",
		"@:2026-02-14T00:00:00+02:00", "@1771027200:end", "@9999-12-31T23:59:59-10:00", "@0000-01-01T00:00:00+10:00", "@1w2d3h4m5s6ms"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := kafka.ParseRange(s, epoch)
		if err != nil {
			return
		}
		again, err := kafka.ParseRange(r.String(), epoch.Add(time.Hour))
		if err != nil || again != r {
			t.Errorf("%q is %+v, printed %q, which is %+v: %v", s, r, r.String(), again, err)
		}
	})
}
