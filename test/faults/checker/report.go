package checker

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// The names under which a Report counts violations.
const (
	Loss       = "I1 loss"
	Phantom    = "I2 phantom"
	Order      = "I3 order"
	Repetition = "I4 repetition"
	Recovery   = "I7 recovery"
	Answers    = "answers"
	State      = "state"
)

// A Report is the checker's judgement.
type Report struct {
	Events     int // distinct, on the topic
	Duplicates int // records beyond the first of an event
	Parked     int
	Changes    int // answered with 2xx and not replayed

	counts   map[string]int
	examples map[string][]string
}

// Red returns the names of the invariants that don't hold, sorted.
func (r *Report) Red() []string { return slices.Sorted(maps.Keys(r.counts)) }

// Count is how often an invariant was found violated.
func (r *Report) Count(invariant string) int { return r.counts[invariant] }

// DuplicateRate is the part of the records that repeat one, 0 to 1.
func (r *Report) DuplicateRate() float64 {
	if r.Duplicates == 0 {
		return 0
	}
	return float64(r.Duplicates) / float64(r.Events+r.Duplicates)
}

// String lists the violations, a few examples of each kind.
func (r *Report) String() string {
	var b strings.Builder
	for _, name := range r.Red() {
		fmt.Fprintf(&b, "%s: %d times\n", name, r.counts[name])
		for _, example := range r.examples[name] {
			fmt.Fprintf(&b, "    %s\n", example)
		}
	}
	return b.String()
}

func (r *Report) violated(invariant, format string, args ...any) {
	const most = 5
	r.counts[invariant]++
	if len(r.examples[invariant]) < most {
		r.examples[invariant] = append(r.examples[invariant], fmt.Sprintf(format, args...))
	}
}
