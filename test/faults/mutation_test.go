//go:build unix

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// targeted is a plan under which each mutation does harm: events pile up while the
// broker is away, some requests fail when it is back, and todoctl dies on its way.
func targeted([]string) []step {
	away := fault{kind: "kill broker", length: 2500 * time.Millisecond}
	rejected := fault{kind: "rejected produce", length: time.Second, n: 6}
	die := fault{kind: "kill at before-publish", n: 2}
	var plan []step
	for _, f := range []fault{away, rejected, die} {
		plan = append(plan, step{faults: []fault{f}, gap: 300 * time.Millisecond})
	}
	return plan
}

// The campaign finds a relay that is wrong, and nothing wrong with one that isn't. No
// mutation makes events of nothing, or changes what clients were told.
func TestMutationsTurnTheCampaignRed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		mutation string
		red      []string // one of them at least
	}{
		{"", nil},
		{"skip-mark", []string{checker.Recovery}},
		{"mark-before-ack", []string{checker.Loss, checker.Order}}, // what was lost is a gap once something follows it
		{"order-by-id", []string{checker.Order}},
	} {
		name := c.mutation
		if name == "" {
			name = "none"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := runCampaign(t, options{
				seed: 1, replicas: 1, mutation: c.mutation, plan: targeted, changes: 500, rate: 300,
				bound: 15 * time.Second, timeout: 2 * time.Minute,
			})
			red := report.Red()
			if c.red == nil && red != nil {
				t.Errorf("red without a mutation:\n%s", report)
			}
			if c.red != nil && !slices.ContainsFunc(c.red, func(kind string) bool { return slices.Contains(red, kind) }) {
				t.Errorf("none of %q is red under %s, only %q", c.red, c.mutation, red)
			}
			for _, other := range []string{checker.Phantom, checker.Repetition, checker.Answers, checker.State} {
				if slices.Contains(red, other) {
					t.Errorf("%s is red under %s:\n%s", other, name, report)
				}
			}
			t.Logf("red: %q\n%s", red, report)
		})
	}
}
