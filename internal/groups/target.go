package groups

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A TargetKind says what a Target counts from.
type TargetKind int8

// The kinds of targets.
const (
	ToPoint TargetKind = iota // a place of the log: start, end, an offset, a time
	ToShift                   // so many records from the committed offset
	ToGroup                   // where another group is
	ToFile                    // offsets that were written down
)

// A Target is where a seek goes.
type Target struct {
	Kind  TargetKind
	Point kafka.Point
	Shift int64
	Name  string // of the group or the file
}

// TargetForms is the grammar of ParseTarget in words, for errors and help.
const TargetForms = `start, end, 42, +10 or -10 (from the committed offset), @TIME, group:NAME, file:PATH (- is stdin); ` +
	`TIME is 2026-02-17, 2026-02-17T12:00:00Z, Unix s/ms/us/ns, or a duration ago (1h30m, -1h, 2d)`

// ParseTarget reads where to seek. Points are those of kafka.ParseRange, but for +N
// and -N: a group has a place of its own to count from.
func ParseTarget(s string, now time.Time) (Target, error) {
	if name, ok := strings.CutPrefix(s, "group:"); ok && name != "" {
		return Target{Kind: ToGroup, Name: name}, nil
	}
	if name, ok := strings.CutPrefix(s, "file:"); ok && name != "" {
		return Target{Kind: ToFile, Name: name}, nil
	}
	if s != "" && (s[0] == '+' || s[0] == '-') {
		n, err := strconv.ParseUint(s[1:], 10, 63)
		if err != nil {
			return Target{}, notATarget(s)
		}
		shift := int64(n)
		if s[0] == '-' {
			shift = -shift
		}
		return Target{Kind: ToShift, Shift: shift}, nil
	}
	r, err := kafka.ParseRange(s, now)
	if err != nil || r.To.Kind != kafka.Open || strings.HasSuffix(s, ":") {
		return Target{}, notATarget(s)
	}
	return Target{Kind: ToPoint, Point: r.From}, nil
}

func notATarget(s string) error {
	const enough = 128
	if len(s) > enough {
		s = s[:enough] + "…"
	}
	return fmt.Errorf("%q is not a place to seek to; accepted are %s", s, TargetForms)
}
