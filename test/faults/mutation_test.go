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
	for _, c := range []struct{ mutation, red string }{
		{"", ""},
		{"skip-mark", checker.Recovery},
		{"mark-before-ack", checker.Loss},
		{"order-by-id", checker.Order},
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
			if c.red == "" && red != nil {
				t.Errorf("red without a mutation:\n%s", report)
			}
			if c.red != "" && !slices.Contains(red, c.red) {
				t.Errorf("%s isn't red under %s, only %q", c.red, c.mutation, red)
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
