//go:build unix

package faults

import (
	"slices"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// TestMutationsTurnTheWorkerCampaignRed breaks the real worker: the campaign sees each
// mutation as what it is, and one fault without a mutation as nothing.
func TestMutationsTurnTheWorkerCampaignRed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ mutation, red string }{
		{"none", ""},
		{"skip-accept", checker.Untold},
		{"skip-note", checker.Twice},
		{"skip-letter", checker.Letters},
	} {
		t.Run(c.mutation, func(t *testing.T) {
			t.Parallel()
			report := runWorkerCampaign(t, options{
				seed: 1, replicas: 1, mutation: c.mutation, changes: 250, rate: 25, bound: 15 * time.Second,
				timeout: 2 * time.Minute, rebalance: 8 * time.Second,
				plan: func([]string) []step {
					return []step{{faults: []fault{{kind: "kafka cut", length: time.Second}}, gap: time.Second}}
				},
			})
			red := report.Red()
			if c.red == "" && red != nil {
				t.Errorf("red without a mutation:\n%s", report)
			}
			if c.red != "" && !slices.Contains(red, c.red) {
				t.Errorf("%s isn't red, only %q", c.red, red)
			}
			t.Logf("red: %q\n%s", red, report)
		})
	}
}
