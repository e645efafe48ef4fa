//go:build unix

package faults

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// A workerCampaign is one run of faults on workers.
type workerCampaign struct {
	options
	*testing.T
	stack    *stack
	workers  []*notifier
	hook     *receiver
	load     *wishers
	admin    *kadm.Client
	began    time.Time
	samples  []checker.Sample
	redrives sync.WaitGroup

	mu       sync.Mutex
	injected map[string]int
	redriven map[string]int // redrives by how they ended
}

// attempts is how many are under way at a time in a worker (internal/worker, maxPlaces).
const attempts = 128

// deadLetterTopics are those of the topics that workers read.
func deadLetterTopics() []string { return []string{"task-events-dlq", "reminders-dlq"} }

func newWorkerCampaign(ctx context.Context, t *testing.T, o options) *workerCampaign {
	t.Helper()
	o.programs = needPrograms(t)
	c := &workerCampaign{options: o, T: t, stack: newStack(t, o, folder(t)), injected: map[string]int{}, redriven: map[string]int{}}
	if err := c.stack.makeTopics(ctx); err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.stack.kafka.addr()), kgo.RetryTimeout(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	c.admin = kadm.NewClient(client)
	c.hook = newReceiver(t)
	for number := range 2 {
		c.workers = append(c.workers, newNotifier(t, c.stack, number, c.hook.Listener.Addr().String(), o.mutation))
	}
	return c
}

// runWorkerCampaign lets faults loose on workers under load and returns the checker's
// word.
func runWorkerCampaign(t *testing.T, o options) *checker.WorkerReport {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), o.timeout)
	defer cancel()
	c := newWorkerCampaign(ctx, t, o)
	c.began = time.Now()
	var apis []string
	for _, r := range c.stack.replicas {
		apis = append(apis, r.api)
	}
	c.load = startWishers(ctx, o.seed, o.rate, apis)
	defer c.load.finish() // again, when something has failed before
	poison := startPoisoner(ctx, t, c.stack.kafka.addr(), 200*time.Millisecond)
	defer poison.finish()
	c.faults(ctx)
	healed := time.Now()
	c.load.finish()
	poison.finish()
	recovery, recovered := c.settle(ctx, healed)
	if recovered {
		c.redriveAll(ctx)
	} else {
		c.Logf("the group of the workers, which hasn't read all:\n%s", c.group(ctx))
	}
	e := c.gather(ctx)
	e.Recovery, e.Recovered, e.Bound = recovery, recovered, o.bound
	report := checker.CheckWorker(e)
	c.figures(report, recovery)
	return report
}

// faults makes everything happen that is planned, and redrives meanwhile.
func (c *workerCampaign) faults(ctx context.Context) {
	plan := c.plan(workerKinds(c.postgres, c.stack.db.disk != nil))
	redriving, stop := context.WithCancel(ctx)
	c.redrives.Go(func() { c.keepRedriving(redriving) })
	defer c.redrives.Wait()
	defer stop()
	for i, s := range plan {
		pause(ctx, s.gap)
		if i == len(plan)-1 && !poll(ctx, func() bool { return c.load.wished.Load() >= int64(c.changes) }) {
			c.Errorf("only %d reminders in time, %d were to be made", c.load.wished.Load(), c.changes)
		}
		var all sync.WaitGroup
		for _, f := range s.faults {
			all.Go(func() {
				began := time.Now()
				note, err := c.inject(ctx, f)
				if err != nil {
					c.Errorf("%s: %v", f.kind, err)
				}
				c.note(f.kind, began, note)
			})
		}
		all.Wait()
		c.sample(ctx)
		if ctx.Err() != nil {
			c.Error("the campaign takes too long")
			return
		}
	}
}

func (c *workerCampaign) note(kind string, began time.Time, note string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.injected[kind]++
	c.Logf("%8.3f s  %-26s for %6.3f s  %6d reminders, %6d webhooks  %s", began.Sub(c.began).Seconds(), kind,
		time.Since(began).Seconds(), c.load.wished.Load(), c.hook.taken(), note)
}

// keepRedriving redrives under load. One that fails, as while the broker is away, is
// followed by the next.
func (c *workerCampaign) keepRedriving(ctx context.Context) {
	for {
		pause(ctx, 7*time.Second)
		if ctx.Err() != nil {
			return
		}
		_, err := c.redrive(ctx)
		c.mu.Lock()
		c.redriven[fmt.Sprint(err)]++
		c.mu.Unlock()
	}
}

// redriveAll redrives until nothing is left that was out of attempts.
func (c *workerCampaign) redriveAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		said, err := c.redrive(ctx)
		c.Logf("redrive at the end: %s, %v", said, err)
		if err == nil && said == "nothing to redrive" {
			return
		}
		poll(ctx, func() bool { return c.idle(ctx) })
	}
	c.Error("dead letters are left that a redrive doesn't bring back")
}

// group describes the workers' group, for a campaign that failed.
func (c *workerCampaign) group(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, c.programs.todoctl, "groups", "describe", workerGroup, "--brokers", c.stack.kafka.addr()).CombinedOutput()
	return fmt.Sprintf("%s%v", out, err)
}

// settle waits until nothing waits: no reminder, no event, nothing unread.
func (c *workerCampaign) settle(ctx context.Context, healed time.Time) (time.Duration, bool) {
	ctx, cancel := context.WithDeadline(ctx, healed.Add(c.bound+quiet))
	defer cancel()
	idle := poll(ctx, func() bool {
		n, err := c.stack.db.reader.Scheduled(ctx)
		return err == nil && n == 0 && c.idle(ctx)
	})
	return time.Since(healed), idle
}

// idle tells whether the outbox is empty, and the workers have read all there is and owe
// nothing.
func (c *workerCampaign) idle(ctx context.Context) bool {
	if n, err := c.stack.db.reader.Waiting(ctx); err != nil || n > 0 {
		return false
	}
	if owed, err := c.stack.db.reader.Owed(ctx); err != nil || len(owed) > 0 {
		return false
	}
	committed, ok := c.committed(ctx)
	if !ok {
		return false
	}
	ends, ok := c.ends(ctx, topic, "reminders")
	if !ok {
		return false
	}
	for name, partitions := range ends {
		for p, end := range partitions {
			if committed[name][p] < end {
				return false
			}
		}
	}
	return true
}

// committed are the offsets of the workers' group.
func (c *workerCampaign) committed(ctx context.Context) (map[string]map[int]int64, bool) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := c.admin.FetchOffsets(ctx, workerGroup)
	if err != nil || found.Error() != nil {
		return nil, false
	}
	all := map[string]map[int]int64{}
	found.Each(func(o kadm.OffsetResponse) {
		if all[o.Topic] == nil {
			all[o.Topic] = map[int]int64{}
		}
		all[o.Topic][int(o.Partition)] = o.At
	})
	return all, true
}

// ends are where topics end.
func (c *workerCampaign) ends(ctx context.Context, topics ...string) (map[string]map[int]int64, bool) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	found, err := c.admin.ListEndOffsets(ctx, topics...)
	if err != nil || found.Error() != nil {
		return nil, false
	}
	all := map[string]map[int]int64{}
	found.Each(func(o kadm.ListedOffset) {
		if all[o.Topic] == nil {
			all[o.Topic] = map[int]int64{}
		}
		all[o.Topic][int(o.Partition)] = o.Offset
	})
	return all, true
}

// sample notes what there is now, the committed offsets first. Where the broker doesn't
// answer there is none.
func (c *workerCampaign) sample(ctx context.Context) {
	s := checker.Sample{}
	var ok bool
	if s.Committed, ok = c.committed(ctx); !ok {
		return
	}
	var err error
	if s.Owed, err = c.stack.db.reader.Owed(ctx); err != nil {
		return // as where the broker doesn't
	}
	if s.Lines, err = lineCounts(c.workers); err != nil {
		c.Error(err)
		return
	}
	s.Posts, s.At = c.hook.taken(), time.Now()
	if s.Letters, ok = c.ends(ctx, deadLetterTopics()...); ok {
		c.samples = append(c.samples, s)
	}
}

// gather stops the workers and reads what there is.
func (c *workerCampaign) gather(ctx context.Context) checker.WorkerEvidence {
	c.sample(ctx)
	var ends sync.WaitGroup
	for _, n := range c.workers {
		ends.Go(n.end)
	}
	ends.Wait()
	e := checker.WorkerEvidence{
		Wishes: c.load.wishes, Unwanted: c.load.unwanted, Series: c.load.series, Posts: c.hook.posts,
		Poison: fates(), Flight: attempts, Samples: c.samples,
	}
	for _, wrong := range c.hook.wrong {
		c.Errorf("webhook: %s", wrong)
	}
	c.must(c.gatherRuns(&e))
	var err error
	e.Rows, err = c.stack.db.reader.Reminders(ctx)
	c.must(err)
	e.Next, err = c.stack.db.reader.NextTasks(ctx)
	c.must(err)
	for _, name := range []string{topic, "reminders"} {
		read, err := checker.ReadMessages(ctx, c.stack.kafka.addr(), name)
		c.must(err)
		e.Messages = append(e.Messages, read...)
	}
	for _, name := range deadLetterTopics() {
		read, err := checker.ReadMessages(ctx, c.stack.kafka.addr(), name)
		c.must(err)
		e.Letters = append(e.Letters, read...)
	}
	return e
}

// gatherRuns reads what the workers have said.
func (c *workerCampaign) gatherRuns(e *checker.WorkerEvidence) error {
	for _, n := range c.workers {
		runs, err := n.read()
		if err != nil {
			return err
		}
		e.Runs = append(e.Runs, runs...)
	}
	return nil
}

func (c *workerCampaign) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// figures prints all that was measured.
func (c *workerCampaign) figures(r *checker.WorkerReport, recovery time.Duration) {
	faults := 0
	var list []string
	for _, kind := range slices.Sorted(maps.Keys(c.injected)) {
		faults += c.injected[kind]
		list = append(list, fmt.Sprintf("%s %d", kind, c.injected[kind]))
	}
	c.Logf("seed %d, %d replicas, %d workers, %.1f s", c.seed, c.replicas, len(c.workers), time.Since(c.began).Seconds())
	c.Logf("faults: %d: %s", faults, strings.Join(list, ", "))
	c.Logf("answers by status: %v; %d wishes, %d taken back", c.load.answers, len(c.load.wishes), len(c.load.unwanted))
	c.Logf("due: %d, told: %d, lost: %d, told twice by the log channel: %d, and %d where a worker was cut off between sending and noting; webhooks again, by id: %d",
		r.Due, r.Told, r.Count(checker.Untold), r.Count(checker.Twice), r.Excused, r.Reposted)
	c.Logf("next tasks of series: %d of %d", r.Series, len(c.load.series))
	c.Logf("poison: %d records, dead letters: %d, again %d of the worker and %d of Dapr; records redriven: %d, redrives under load: %v",
		r.Poison, r.Letters, r.Again, r.Copied, r.Redriven, c.redriven)
	c.Logf("I8: %d records below committed offsets at %d moments", r.Checked, len(c.samples))
	c.Logf("recovery after the last fault: %.1f s (allowed: %.0f s)", recovery.Seconds(), c.bound.Seconds())
	for _, child := range c.stack.children() {
		ends, own := child.counts()
		c.Logf("%s ended %d times, %d of them by itself", child.name, ends, own)
	}
	for _, n := range c.workers {
		ends, own := n.counts()
		c.Logf("%s ended %d times, %d of them by itself", n.name, ends, own)
	}
}

// workerSettings are those of a campaign on workers that the flags ask for.
func workerSettings(postgres bool) options {
	o := options{seed: *seedFlag, postgres: postgres, replicas: 1, changes: 300, rate: 25, bound: time.Minute, timeout: 3 * time.Minute,
		rebalance: 8 * time.Second} // so that a few faults in a row don't take a minute each
	count := 10
	if *longFlag {
		count, o.changes, o.rate, o.rebalance = 105, 21_000, 40, 0
	}
	if *countFlag > 0 {
		count = *countFlag
	}
	if *changesFlag > 0 {
		o.changes = *changesFlag
	}
	switch {
	case o.seed == 0 && *longFlag:
		o.seed = rand.Uint64N(1_000_000)
	case o.seed == 0:
		o.seed = 1
	}
	o.timeout += time.Duration(count)*30*time.Second + time.Duration(o.changes/20)*time.Second
	o.plan = func(kinds []string) []step { return newPlan(o.seed, count, *longFlag, kinds) }
	return o
}

// Whatever dies in between, every reminder that fell due is told, once but for a worker
// that was cut off between sending and noting, and poison keeps nobody waiting.
func TestWorkerCampaign(t *testing.T) {
	t.Parallel()
	for _, db := range []string{"SQLite", "PostgreSQL"} {
		t.Run(db, func(t *testing.T) {
			t.Parallel()
			o := workerSettings(db == "PostgreSQL")
			report := runWorkerCampaign(t, o)
			if report.Red() != nil {
				t.Errorf("%s", report)
			}
			if t.Failed() {
				t.Logf("replay with: go test ./test/faults -v -run %s -faults.seed %d%s", filepath.ToSlash(t.Name()), o.seed, moreArguments())
			}
		})
	}
}
