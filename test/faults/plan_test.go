//go:build unix

package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// A fault is one thing that goes wrong.
type fault struct {
	kind   string
	length time.Duration // of its effect, where it has one
	pick   int           // of a replica or a failpoint
	n      int           // the hit of a failpoint; requests to fail
}

// A step is faults that happen at the same time.
type step struct {
	faults []fault
	gap    time.Duration // before it
}

func (s step) String() string {
	var words []string
	for _, f := range s.faults {
		words = append(words, fmt.Sprintf("%s (%s, pick %d, n %d)", f.kind, f.length, f.pick, f.n))
	}
	return strings.Join(words, " + ")
}

// kinds are the faults that this stack can be given.
func (s *stack) kinds() []string {
	all := kinds(s.db.server != nil, s.db.disk != nil)
	if s.control != "" {
		return all
	}
	return slices.DeleteFunc(all, func(kind string) bool { _, ordered := answers()[kind]; return ordered })
}

// kinds lists the faults that a stack can be given. Each kind of stop or cut comes
// once, the failpoints that kill once for each point.
func kinds(postgres, disk bool) []string {
	all := []string{
		"kill serve", "kill leader", "restart serve", "stop leader", "kill daprd", "stop daprd",
		"kill broker", "stop broker", "kafka slow", "kafka cut", "kafka dead", "kafka swallow",
		"ambiguous ack", "rejected produce", "refused produce", "topic missing", "point error", "point pause",
	}
	for _, point := range points() {
		all = append(all, "kill at "+point)
	}
	if postgres {
		all = append(all, "kill postgres", "terminate backends", "postgres slow", "postgres cut", "postgres dead", "postgres swallow")
	}
	if disk {
		all = append(all, "disk full")
	}
	return all
}

// points are the failpoints of todoctl.
func points() []string {
	return []string{"before-commit", "after-commit", "before-publish", "after-ack", "before-mark"}
}

// newPlan draws faults: each kind once in a random order, then again. In a long plan
// one in five comes with another one at the same time.
func newPlan(seed uint64, count int, long bool, kinds []string) []step {
	random := rand.New(rand.NewPCG(seed, 1))
	longest, gap := 5*time.Second, 800*time.Millisecond
	if long {
		longest, gap = 20*time.Second, 3*time.Second
	}
	var plan []step
	var bag []string
	draw := func() fault {
		if len(bag) == 0 {
			bag = slices.Clone(kinds)
			random.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
		}
		f := fault{kind: bag[0], pick: random.IntN(60), n: 1 + random.IntN(12)}
		bag = bag[1:]
		shortest, most := span(f.kind, longest)
		f.length = shortest + time.Duration(random.Int64N(int64(most-shortest)+1)).Truncate(time.Millisecond)
		return f
	}
	for drawn := 0; drawn < count; {
		s := step{gap: 200*time.Millisecond + time.Duration(random.Int64N(int64(gap))).Truncate(time.Millisecond)}
		s.faults = append(s.faults, draw())
		if other := random.IntN(5) == 0; other && long && drawn+2 < count {
			f := draw()
			if part(f.kind) == part(s.faults[0].kind) {
				plan, s, drawn = append(plan, s), step{gap: s.gap}, drawn+1
			}
			s.faults = append(s.faults, f)
		}
		drawn += len(s.faults)
		plan = append(plan, s)
	}
	return plan
}

// span is how long a fault of a kind may last.
func span(kind string, longest time.Duration) (from, to time.Duration) {
	switch {
	case strings.HasPrefix(kind, "stop"):
		return 5 * time.Second, longest
	case strings.HasSuffix(kind, "dead"), strings.HasSuffix(kind, "swallow"):
		return time.Second, longest / 2
	default:
		return 200 * time.Millisecond, 2 * time.Second
	}
}

// part is what a fault hits: two faults at a time hit different parts.
func part(kind string) string {
	words := strings.Fields(kind)
	switch {
	case kind == "stop leader", kind == "kill leader", words[0] == "point", strings.HasPrefix(kind, "kill at"):
		return "serve"
	case words[0] == "kafka", words[0] == "ambiguous", words[0] == "rejected", words[0] == "refused", words[0] == "topic":
		return "broker"
	case words[0] == "postgres", words[0] == "terminate":
		return "postgres"
	default:
		return words[1]
	}
}

// The same seed gives the same plan, and a plan long enough has every kind in it.
func TestPlanReplays(t *testing.T) {
	all := kinds(true, true)
	first, again := newPlan(7, 100, true, all), newPlan(7, 100, true, all)
	if fmt.Sprint(first) != fmt.Sprint(again) {
		t.Error("the same seed gives another plan")
	}
	if other := newPlan(8, 100, true, all); fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("another seed gives the same plan")
	}
	seen := map[string]bool{}
	for _, s := range first {
		for _, f := range s.faults {
			seen[f.kind] = true
		}
	}
	for _, kind := range all {
		if !seen[kind] {
			t.Errorf("no %s in 100 faults", kind)
		}
	}
}
