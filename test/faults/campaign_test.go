//go:build unix

package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// options are those of one campaign.
type options struct {
	programs    programs
	seed        uint64
	postgres    bool
	replicas    int
	mutation    string
	args        []string // more flags of serve
	smallBroker bool     // the broker's disk can be filled, where that is possible
	nodes       int      // of Apache Kafka; 0 for the broker of broker_test.go
	plan        func(kinds []string) []step
	changes     int           // to wait for
	rate        int           // of the load: requests a second
	bound       time.Duration // of the recovery
	timeout     time.Duration // of everything
	rebalance   time.Duration // see brokerSettings; 0 for what the members ask for
}

// A campaign is one run.
type campaign struct {
	options
	*testing.T
	stack    *stack
	load     *load
	began    time.Time
	noting   sync.Mutex
	injected map[string]int // faults by their kind
}

// runCampaign lets faults loose on a stack under load and returns the checker's word.
func runCampaign(t *testing.T, o options) *checker.Report {
	t.Helper()
	o.programs = needPrograms(t)
	c := &campaign{options: o, T: t, injected: map[string]int{}}
	ctx, cancel := context.WithTimeout(t.Context(), o.timeout)
	defer cancel()
	dir := folder(t)
	c.stack = newStack(t, o, dir)
	c.began = time.Now()
	apis := make([]string, 0, o.replicas)
	for _, r := range c.stack.replicas {
		apis = append(apis, r.api)
	}
	c.load = startLoad(ctx, o.seed, o.rate, apis)
	defer c.load.finish() // again, when something has failed before
	c.faults(ctx)
	healed := time.Now()
	c.load.finish()
	recovery, recovered := c.recover(ctx, healed)
	evidence, err := c.stack.gather(ctx, c.load)
	if err != nil {
		t.Fatal(err)
	}
	evidence.Recovery, evidence.Recovered, evidence.Bound = recovery, recovered, o.bound
	report := checker.Check(evidence)
	c.figures(report, recovery)
	return report
}

// folder is where a test keeps its files; it stays when the test fails.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "todoctl-faults-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || *keepFlag {
			t.Logf("logs and data are kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// faults makes everything happen that is planned. The topic is missing at first.
func (c *campaign) faults(ctx context.Context) {
	pause(ctx, 1500*time.Millisecond)
	c.note("topic missing at the start", c.began, "")
	if err := c.stack.makeTopics(ctx); err != nil {
		c.Fatal(err)
	}
	plan := c.plan(c.stack.kinds())
	for i, s := range plan {
		pause(ctx, s.gap)
		if i == len(plan)-1 && !poll(ctx, func() bool { return c.load.made.Load() >= int64(c.changes) }) {
			c.Fatalf("only %d changes in time, %d were to be made", c.load.made.Load(), c.changes)
		}
		var all sync.WaitGroup
		for _, f := range s.faults {
			all.Go(func() {
				began := time.Now()
				note, err := c.stack.inject(ctx, f)
				if err != nil {
					c.Errorf("%s: %v", f.kind, err)
				}
				c.note(f.kind, began, note)
			})
		}
		all.Wait()
		if ctx.Err() != nil {
			c.Fatal("the campaign takes too long")
		}
	}
}

// note logs a fault that is over.
func (c *campaign) note(kind string, began time.Time, note string) {
	c.noting.Lock()
	defer c.noting.Unlock()
	c.injected[kind]++
	c.Logf("%8.3f s  %-26s for %6.3f s  %6d changes  %s", began.Sub(c.began).Seconds(), kind,
		time.Since(began).Seconds(), c.load.made.Load(), note)
}

// quiet is how long the outbox must stay empty to count as such: a change may still
// be under way.
const quiet = time.Second

// recover waits until the outbox is empty and stays so.
func (c *campaign) recover(ctx context.Context, healed time.Time) (time.Duration, bool) {
	ctx, cancel := context.WithDeadline(ctx, healed.Add(c.bound+quiet))
	defer cancel()
	var empty time.Time // since when
	poll(ctx, func() bool {
		n, err := c.stack.db.reader.Waiting(ctx)
		switch {
		case err != nil, n > 0:
			empty = time.Time{}
		case empty.IsZero():
			empty = time.Now()
		}
		return !empty.IsZero() && time.Since(empty) > quiet
	})
	if empty.IsZero() {
		return time.Since(healed), false
	}
	return empty.Sub(healed), true
}

// gather stops the replicas and reads what there is.
func (s *stack) gather(ctx context.Context, l *load) (e checker.Evidence, err error) {
	var ends sync.WaitGroup
	for _, r := range s.replicas {
		ends.Go(r.end)
	}
	ends.Wait()
	e.Operations, e.Contradictions = l.operations, l.contradictions
	if e.Rows, err = s.db.reader.Rows(ctx); err != nil {
		return e, err
	}
	if e.Tasks, err = s.db.reader.Tasks(ctx); err != nil {
		return e, err
	}
	for _, name := range []string{checker.Changes, checker.Updates, "reminders"} {
		read, err := checker.ReadTopic(ctx, s.brokers(), name)
		if err != nil {
			return e, err
		}
		e.Records = append(e.Records, read...)
	}
	return e, nil
}

// figures prints all that was measured.
func (c *campaign) figures(report *checker.Report, recovery time.Duration) {
	faults := 0
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(c.injected)) {
		faults += c.injected[kind]
		list = append(list, fmt.Sprintf("%s %d", kind, c.injected[kind]))
	}
	outcomes := c.load.outcomes()
	c.Logf("seed %d, %d replicas, %.1f s", c.seed, c.replicas, time.Since(c.began).Seconds())
	c.Logf("operations: %d ok, %d fail, %d unknown (%d of them left by their clients); %d changes",
		outcomes[checker.OK], outcomes[checker.Fail], outcomes[checker.Unknown], c.load.gone, report.Changes)
	c.Logf("faults: %d: %s", faults, strings.Join(list, ", "))
	c.Logf("events: %d, duplicates: %d (%.2f %%), parked: %d, lost: %d, phantom: %d, out of order: %d",
		report.Events, report.Duplicates, 100*report.DuplicateRate(), report.Parked,
		report.Count(checker.Loss), report.Count(checker.Phantom), report.Count(checker.Order))
	c.Logf("recovery after the last fault: %.1f s (allowed: %.0f s)", recovery.Seconds(), c.bound.Seconds())
	if c.stack.nodes != nil {
		c.Log(c.stack.nodes)
	}
	for _, child := range c.stack.children() {
		ends, own := child.counts()
		c.Logf("%s ended %d times, %d of them by itself or at a failpoint", child.name, ends, own)
	}
}

// settings are those of a campaign that the flags ask for.
func settings(postgres bool) options {
	o := options{
		seed: *seedFlag, postgres: postgres, replicas: 2, changes: 5000, rate: 500,
		bound: time.Minute, timeout: 2 * time.Minute,
	}
	count := 11
	if *longFlag {
		count, o.changes, o.rate = 210, 100_000, 200
	}
	if *longFlag && postgres {
		o.replicas = 3
	}
	if *kafkaFlag {
		o.nodes = 1
	}
	if *countFlag > 0 {
		count = *countFlag
	}
	if *changesFlag > 0 {
		o.changes = *changesFlag
	}
	switch { // what runs with every change has the same faults each time
	case o.seed == 0 && *longFlag:
		o.seed = rand.Uint64N(1_000_000)
	case o.seed == 0:
		o.seed = 1
	}
	// A fault lasts 20 s at most, and 100 changes a second are few.
	o.timeout += time.Duration(count)*25*time.Second + time.Duration(o.changes/100)*time.Second
	o.plan = func(kinds []string) []step { return newPlan(o.seed, count, *longFlag, kinds) }
	return o
}

// Whatever dies in between, every change that was answered with 2xx has its event on
// the topic, once the faults are over.
func TestCampaign(t *testing.T) {
	t.Parallel()
	for _, db := range []string{"SQLite", "PostgreSQL"} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			o := settings(db == "PostgreSQL")
			report := runCampaign(t, o)
			if report.Red() != nil {
				t.Errorf("%s", report)
			}
			if t.Failed() {
				t.Logf("replay with: go test ./test/faults -v -run %s -faults.seed %d%s", filepath.ToSlash(t.Name()), o.seed, moreArguments())
			}
		})
	}
}

func moreArguments() string {
	argument := ""
	if *kafkaFlag {
		argument += " -faults.kafka"
	}
	if *longFlag {
		argument += " -faults.long -timeout 0"
	}
	return argument
}
