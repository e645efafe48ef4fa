package kafka

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A PointKind says what a Point counts from.
type PointKind int8

// The kinds of points. Open, the zero value, is no bound: as the start of a range
// the first record, as its end whatever is still to come.
const (
	Open       PointKind = iota
	Start                // the oldest record there is
	End                  // behind the newest record when the range is resolved
	At                   // N is an offset
	AfterStart           // N records after the start
	BeforeEnd            // N records before the end
	AtTime               // N is a Unix time in milliseconds: the first record not older
)

// A Point is a place in every partition of a topic.
type Point struct {
	Kind PointKind
	N    int64
}

// A Range is a part of every partition: the records from From, up to but without
// To. The zero Range is all there is and will be.
type Range struct {
	From, To Point
}

// TimeForms is the grammar of times in words.
const TimeForms = `2026-02-17, 2026-02-17T12:00:00Z, Unix s/ms/us/ns, or a duration ago (1h30m, -1h, 2d)`

// OffsetForms is the grammar of ParseRange in words, for errors and help.
const OffsetForms = `start, end, 42, +42 (after the start), -10 (before the end), ` +
	`40:50, 40:, :50, -10:end, @TIME, @TIME:TIME, @TIME:, @:TIME; ` +
	`TIME is ` + TimeForms

// ParseRange reads the offset grammar of rpk, with additions: oldest, beginning and
// earliest are start, newest and latest are end; every offset form may stand on
// both sides of the colon. A bare form has no end, so that reading it follows.
//
// Times: a date is that day in UTC; a number is a Unix time by its digits (9–11
// seconds, 12–14 milliseconds, 15–17 microseconds, 18–19 nanoseconds); a duration,
// with or without a minus, is ago. As in rpk a plain duration behind an absolute
// time counts from there: @2026-02-14:1h is an hour of that day. Times are cut to
// milliseconds, which is what Kafka keeps.
func ParseRange(s string, now time.Time) (Range, error) {
	var (
		r   Range
		why string
	)
	times, timed := strings.CutPrefix(s, "@")
	switch {
	case len(s) > maxRange:
		s, why = s[:maxRange]+"…", "it is too long"
	case timed:
		r, why = parseTimes(times, now)
	default:
		r, why = parseOffsets(s)
	}
	if why == "" && r.empty() {
		why = "its end is not after its start"
	}
	if why != "" {
		return Range{}, fmt.Errorf("offset %q: %s; accepted are %s", s, why, OffsetForms)
	}
	return r, nil
}

// maxRange is longer than any range in the grammar; the search for the colon between
// times is quadratic.
const maxRange = 128

// parseOffsets returns the range, or why s is none.
func parseOffsets(s string) (Range, string) {
	from, to, two := strings.Cut(s, ":")
	if s == "" || s == ":" {
		return Range{}, "it is empty"
	}
	r := Range{From: Point{Kind: Start}}
	var ok bool
	if from != "" {
		if r.From, ok = parsePoint(from); !ok {
			return Range{}, fmt.Sprintf("%q is not an offset", from)
		}
	}
	if two && to != "" {
		if r.To, ok = parsePoint(to); !ok {
			return Range{}, fmt.Sprintf("%q is not an offset", to)
		}
	}
	return r, ""
}

func parsePoint(s string) (Point, bool) {
	switch s {
	case "start", "oldest", "beginning", "earliest":
		return Point{Kind: Start}, true
	case "end", "newest", "latest":
		return Point{Kind: End}, true
	}
	kind := At
	digits := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		digits = s[1:]
		kind = AfterStart
		if s[0] == '-' {
			kind = BeforeEnd
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	return Point{Kind: kind, N: int64(n)}, err == nil
}

// parseTimes reads what stands behind the @. A time may hold colons, so every colon
// is tried as the one between the times; no two of them can both be right.
func parseTimes(s string, now time.Time) (Range, string) {
	if from, _, ok := parseTime(s, now); ok {
		return Range{From: from}, ""
	}
	for i := range len(s) {
		if s[i] != ':' {
			continue
		}
		if r, ok := parseTimePair(s[:i], s[i+1:], now); ok {
			return r, ""
		}
	}
	return Range{}, fmt.Sprintf("%q is not a time, nor two with a colon between", s)
}

func parseTimePair(from, to string, now time.Time) (Range, bool) {
	r := Range{From: Point{Kind: Start}}
	if from == "" && to == "" {
		return r, false
	}
	absolute, ok := false, true
	if from != "" {
		if r.From, absolute, ok = parseTime(from, now); !ok {
			return r, false
		}
	}
	switch d, err := parseDuration(to); {
	case to == "":
	case to == "end":
		r.To = Point{Kind: End}
	case absolute && err == nil && to[0] != '-':
		r.To = pointAt(time.UnixMilli(r.From.N).Add(d))
	default:
		r.To, _, ok = parseTime(to, now)
	}
	return r, ok
}

// parseTime returns the point of a time, and whether it is absolute: not counted
// from now.
func parseTime(s string, now time.Time) (p Point, absolute, ok bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return pointAt(t), true, true
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return pointAt(t), true, true
	}
	if n, err := strconv.ParseUint(s, 10, 63); err == nil {
		p, ok := unixPoint(int64(n), len(s))
		return p, true, ok
	}
	d, err := parseDuration(strings.TrimPrefix(s, "-"))
	if err != nil {
		return Point{}, false, false
	}
	return pointAt(now.Add(-d)), false, true
}

// ParseTime reads a time as it stands behind the @ of ParseRange, to the millisecond.
func ParseTime(s string, now time.Time) (time.Time, error) {
	p, _, ok := parseTime(s, now)
	if !ok {
		return time.Time{}, fmt.Errorf("%q is not a time; accepted are %s", s, TimeForms)
	}
	return time.UnixMilli(p.N), nil
}

func unixPoint(n int64, digits int) (Point, bool) {
	switch {
	case digits < 9 || digits > 19:
		return Point{}, false
	case digits <= 11:
		return pointAt(time.Unix(n, 0)), true
	case digits <= 14:
		return pointAt(time.UnixMilli(n)), true
	case digits <= 17:
		return pointAt(time.UnixMicro(n)), true
	}
	return pointAt(time.Unix(0, n)), true
}

// lastMilli is the end of the year 9999, the last that RFC 3339 can write.
const lastMilli = 253402300799999

// pointAt stays within what prints as a time and what Kafka takes for one: a
// negative time has other meanings in ListOffsets.
func pointAt(t time.Time) Point {
	return Point{Kind: AtTime, N: min(max(t.UnixMilli(), 0), lastMilli)}
}

// parseDuration is time.ParseDuration with days and weeks in front (1w2d3h) and
// without a sign.
func parseDuration(s string) (time.Duration, error) {
	if s == "" || s[0] == '-' || s[0] == '+' {
		return 0, fmt.Errorf("invalid duration %q", s)
	}
	total, rest := int64(0), s
	for _, unit := range []struct {
		name  string
		hours int64
	}{{"w", 7 * 24}, {"d", 24}} {
		count, after, ok := strings.Cut(rest, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(count, 10, 63)
		hours := int64(n) * unit.hours
		if err != nil || int64(n) > math.MaxInt64/int64(time.Hour)/unit.hours {
			return 0, fmt.Errorf("invalid duration %q", s)
		}
		total, rest = total+hours*int64(time.Hour), after
	}
	var (
		d   time.Duration
		err error
	)
	if rest != "" {
		d, err = time.ParseDuration(rest)
	}
	if err != nil || d < 0 || total < 0 || total+int64(d) < 0 {
		return 0, fmt.Errorf("invalid duration %q", s)
	}
	return time.Duration(total) + d, nil
}

// empty tells whether no partition whatever could have records in the range.
func (r Range) empty() bool {
	if r.From.Kind != r.To.Kind {
		return false
	}
	switch r.From.Kind {
	case At, AfterStart, AtTime:
		return r.To.N <= r.From.N
	case BeforeEnd:
		return r.To.N >= r.From.N
	case Start, End:
		return true
	default:
		return false
	}
}

// String returns the range in the grammar of ParseRange; times are absolute.
func (r Range) String() string {
	if r.From.Kind == AtTime || r.To.Kind == AtTime {
		return "@" + r.From.timeText() + ":" + r.To.timeText()
	}
	if r.To.Kind == Open {
		return r.From.String()
	}
	return r.From.String() + ":" + r.To.String()
}

// String returns the point in the grammar of ParseRange; a time has its @.
func (p Point) String() string {
	switch p.Kind {
	case End:
		return "end"
	case At:
		return strconv.FormatInt(p.N, 10)
	case AfterStart:
		return "+" + strconv.FormatInt(p.N, 10)
	case BeforeEnd:
		return "-" + strconv.FormatInt(p.N, 10)
	case AtTime:
		return "@" + p.timeText()
	default:
		return "start"
	}
}

func (p Point) timeText() string {
	switch p.Kind {
	case AtTime:
		return time.UnixMilli(p.N).UTC().Format("2006-01-02T15:04:05.999Z07:00")
	case End:
		return "end"
	default:
		return ""
	}
}
