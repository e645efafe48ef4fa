//go:build unix

package faults

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var nodesFlag = flag.Int("faults.nodes", 0, "times that TestNodes takes a node away, at least; 0 for 4, long 64")

// String tells how long it took until events flowed again, by the fault.
func (n *nodes) String() string {
	var b strings.Builder
	for _, kind := range nodeKinds() {
		var lost, others []time.Duration
		for _, f := range n.flows {
			if f.kind != kind {
				continue
			}
			if f.lost > 0 {
				lost = append(lost, f.lost)
			}
			if f.others > 0 {
				others = append(others, f.others)
			}
		}
		if len(lost) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s: no events for %s, %d times", kind, spread(lost), len(lost))
		if len(others) > 0 {
			fmt.Fprintf(&b, "; on partitions that kept their leader for %s, %d times", spread(others), len(others))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// nodePlan has each kind once in a round, every round another leader, until nodes were
// taken away count times.
func nodePlan(kinds []string, count int, away time.Duration) []step {
	var plan []step
	for round, taken := 0, 0; taken < count; round++ {
		for i, kind := range kinds {
			f := fault{kind: kind, pick: round + i, length: away}
			if kind == leaderPaused {
				f.length = 10 * time.Second
			}
			plan = append(plan, step{faults: []fault{f}, gap: time.Second})
			taken += max(1, map[string]int{inARow: 3, twoAway: 2}[kind])
		}
	}
	return plan
}

// Three nodes of Apache Kafka, every record on all of them and acknowledged by two: the
// leader of a partition killed, stopped or away, all restarted in a row, two of three
// away. Nothing that was answered with 2xx is lost, and events flow again by themselves.
func TestNodes(t *testing.T) {
	t.Parallel()
	o := options{
		seed: max(1, *seedFlag), postgres: true, replicas: 2, nodes: 3, changes: 1000, rate: 100,
		bound: time.Minute,
	}
	count, kinds := 4, []string{leaderKilled, inARow}
	if *longFlag {
		count, kinds = 64, nodeKinds()
	}
	if *nodesFlag > 0 {
		count = *nodesFlag
	}
	o.timeout = time.Duration(count+8) * time.Minute
	o.plan = func([]string) []step { return nodePlan(kinds, count, 12*time.Second) }
	if report := runCampaign(t, o); report.Red() != nil {
		t.Errorf("%s", report)
	}
}
