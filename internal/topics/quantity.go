package topics

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// A unit is a word behind a number, and how many of the smallest unit it holds.
type unit struct {
	words []string
	of    int64
}

// durations are the units of settings that end in .ms, largest first.
func durations() []unit {
	return []unit{
		{[]string{"w", "week", "weeks"}, (7 * 24 * time.Hour).Milliseconds()},
		{[]string{"d", "day", "days"}, (24 * time.Hour).Milliseconds()},
		{[]string{"h", "hour", "hours"}, time.Hour.Milliseconds()},
		{[]string{"m", "min", "minute", "minutes"}, time.Minute.Milliseconds()},
		{[]string{"s", "second", "seconds"}, time.Second.Milliseconds()},
		{[]string{"ms", "millisecond", "milliseconds"}, 1},
	}
}

// sizes are the units of settings that end in .bytes, largest first.
func sizes() []unit {
	return []unit{
		{[]string{"TiB"}, 1 << 40}, {[]string{"TB"}, 1e12},
		{[]string{"GiB"}, 1 << 30}, {[]string{"GB"}, 1e9},
		{[]string{"MiB"}, 1 << 20}, {[]string{"MB"}, 1e6},
		{[]string{"KiB"}, 1 << 10}, {[]string{"KB", "kB"}, 1e3},
		{[]string{"B", "byte", "bytes"}, 1},
	}
}

// quantity reads "7d" or "7 days" in the smallest of the units. A number without a
// unit, a negative one too, is taken as it is.
func quantity(s string, units []unit) (int64, bool) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	digits := s[:len(s)-len(strings.TrimLeft(s, "0123456789"))]
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, false
	}
	word := strings.TrimLeft(s[len(digits):], " ")
	for _, u := range units {
		for _, w := range u.words {
			if w == word && n <= math.MaxInt64/u.of {
				return n * u.of, true
			}
		}
	}
	return 0, false
}
