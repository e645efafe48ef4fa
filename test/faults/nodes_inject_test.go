//go:build unix

package faults

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The faults that several nodes can be given. A node that is killed is started again at
// once, one that is away after a while.
const (
	leaderKilled = "node leader killed"
	leaderAway   = "node leader away"
	leaderPaused = "node leader paused"
	inARow       = "nodes restarted in a row"
	twoAway      = "nodes away, two of three"
)

// nodeKinds are all of them.
func nodeKinds() []string {
	return []string{leaderKilled, twoAway, leaderPaused, inARow, leaderAway}
}

// flowWithin is how long the events may take to flow again, and the nodes to be whole.
const flowWithin = 90 * time.Second

// A flow is how long it took until events flowed again.
type flow struct {
	kind         string        // of inARow, lost is the longest pause of any partition
	lost, others time.Duration // on partitions that lost their leader, and on the others; 0 when there are none
}

// A moment is when a fault hit. What was made later has a higher row.
type moment struct {
	at   time.Time
	row  int64
	lost []int32 // partitions of the topic
}

// suffer makes one of these faults happen, and returns when all is whole again.
func (n *nodes) suffer(ctx context.Context, f fault) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*flowWithin+f.length)
	defer cancel()
	leaders, err := n.leaders(ctx)
	if err != nil {
		return "", err
	}
	victim := leaders[int32(f.pick%len(leaders))]
	switch f.kind {
	case leaderKilled:
		err = n.lose(ctx, f, leaders, victim, func(c *child) { c.strike(syscall.SIGKILL) }, nil)
	case leaderAway:
		err = n.lose(ctx, f, leaders, victim, away, func(c *child) { c.hold(false) })
	case leaderPaused:
		err = n.pause(ctx, f, leaders, victim)
	case inARow:
		err = n.restart(ctx, f)
	case twoAway:
		err = n.loseTwo(ctx, f, int(victim))
	default:
		err = fmt.Errorf("no such fault: %s", f.kind)
	}
	last := n.flows[max(0, len(n.flows)-1):]
	return strings.Trim(fmt.Sprint(last), "[]"), err
}

func (f flow) String() string {
	return fmt.Sprintf("no events for %.1f s, elsewhere %.1f s", f.lost.Seconds(), f.others.Seconds())
}

// away kills a node that isn't to be started again for now.
func away(c *child) {
	c.hold(true)
	c.strike(syscall.SIGKILL)
}

// lose takes a node away until the fault is over, and waits for the events meanwhile.
func (n *nodes) lose(ctx context.Context, f fault, leaders map[int32]int32, victim int32, begin, end func(*child)) error {
	begin(n.children[victim])
	if end != nil {
		defer end(n.children[victim])
	}
	m, err := n.mark(ctx, leaders, victim)
	if err != nil {
		return err
	}
	if err := n.flow(ctx, f.kind, m); err != nil {
		return err
	}
	if end != nil {
		pause(ctx, f.length)
		end(n.children[victim])
	}
	return n.heal(ctx)
}

// pause stops a leader as a paused machine does.
func (n *nodes) pause(ctx context.Context, f fault, leaders map[int32]int32, victim int32) error {
	c := n.children[victim]
	c.strike(syscall.SIGSTOP)
	timer := time.AfterFunc(f.length, func() { c.strike(syscall.SIGCONT) })
	defer func() {
		timer.Stop()
		c.strike(syscall.SIGCONT)
	}()
	m, err := n.mark(ctx, leaders, victim)
	if err != nil {
		return err
	}
	if err := n.flow(ctx, f.kind, m); err != nil {
		return err
	}
	pause(ctx, f.length-time.Since(m.at))
	c.strike(syscall.SIGCONT)
	return n.heal(ctx)
}

// restart asks one node after the other to end in good order, each when the one before
// is back and has caught up.
func (n *nodes) restart(ctx context.Context, f fault) error {
	for _, c := range n.children {
		began := time.Now()
		ends, _ := c.counts()
		c.strike(syscall.SIGTERM)
		// Until it has ended it seems to be one of the cluster.
		if !poll(ctx, func() bool { now, _ := c.counts(); return now > ends && c.pid() != 0 }) {
			return fmt.Errorf("%s doesn't end", c.name)
		}
		if err := n.heal(ctx); err != nil {
			return err
		}
		longest, err := n.longestPause(ctx, began)
		if err != nil {
			return err
		}
		n.flows = append(n.flows, flow{kind: f.kind, lost: longest})
	}
	return nil
}

// longestPause is how long there was no acknowledgement on some partition, from a moment
// until now.
func (n *nodes) longestPause(ctx context.Context, from time.Time) (longest time.Duration, err error) {
	last := map[int32]time.Time{0: from, 1: from, 2: from}
	const marked = "SELECT task_id, published_at FROM outbox WHERE topic = $1 AND published_at >= $2 ORDER BY published_at"
	rows, err := n.db.QueryContext(ctx, marked, topic, from)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var task int64
		var at time.Time
		if err := rows.Scan(&task, &at); err != nil {
			return 0, err
		}
		longest = max(longest, at.Sub(last[place(task)]))
		last[place(task)] = at
	}
	for _, at := range last {
		longest = max(longest, time.Since(at))
	}
	return longest, rows.Err()
}

// loseTwo leaves one node of three: nothing may be acknowledged, and the outbox grows.
func (n *nodes) loseTwo(ctx context.Context, f fault, kept int) error {
	lost := slices.Concat(n.children[:kept], n.children[kept+1:])
	for _, c := range lost {
		away(c)
	}
	m, err := n.mark(ctx, nil)
	if err != nil {
		return err
	}
	pause(ctx, f.length)
	out, err := n.acknowledged(ctx, m)
	if err == nil && len(out) > 0 {
		err = fmt.Errorf("of two nodes away: events on the partitions %v were acknowledged all the same", out)
	}
	var waiting int
	err = errors.Join(err, n.db.QueryRowContext(ctx, "SELECT count(*) FROM outbox WHERE id > $1", m.row).Scan(&waiting))
	if err == nil && waiting == 0 {
		err = errors.New("no change was made while two nodes were away")
	}
	m.at = time.Now() // from here on it can be mended
	for _, c := range lost {
		c.hold(false)
	}
	if err != nil {
		return err
	}
	m.lost = []int32{0, 1, 2}
	if err := n.flow(ctx, f.kind, m); err != nil {
		return err
	}
	return n.heal(ctx)
}

// mark says that a fault has hit the partitions that a node led.
func (n *nodes) mark(ctx context.Context, leaders map[int32]int32, victims ...int32) (moment, error) {
	m := moment{at: time.Now()}
	for partition, leader := range leaders {
		if slices.Contains(victims, leader) {
			m.lost = append(m.lost, partition)
		}
	}
	err := n.db.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM outbox").Scan(&m.row)
	return m, err
}

// flow waits until an event made after a moment is acknowledged on every partition.
func (n *nodes) flow(ctx context.Context, kind string, m moment) error {
	ctx, cancel := context.WithTimeout(ctx, flowWithin)
	defer cancel()
	f := flow{kind: kind}
	seen := map[int32]bool{}
	var err error
	if !poll(ctx, func() bool {
		var out []int32
		out, err = n.acknowledged(ctx, m)
		for _, p := range out {
			if seen[p] {
				continue
			}
			seen[p] = true
			if slices.Contains(m.lost, p) {
				f.lost = time.Since(m.at)
			} else {
				f.others = time.Since(m.at)
			}
		}
		return len(seen) == partitions
	}) {
		return fmt.Errorf("not within %s: events flow on all partitions, only on %v: %w", flowWithin, seen, err)
	}
	n.flows = append(n.flows, f)
	return nil
}

// heal waits until every node has all records.
func (n *nodes) heal(ctx context.Context) error {
	if !poll(ctx, func() bool { return n.whole(ctx) }) {
		return errors.New("the replicas aren't in sync in time")
	}
	return nil
}

// partitions of the topic.
const partitions = 3

// acknowledged are the partitions on which events are that were made after a moment and
// that the relay has marked.
func (n *nodes) acknowledged(ctx context.Context, m moment) ([]int32, error) {
	const marked = "SELECT DISTINCT task_id FROM outbox WHERE id > $1 AND topic = $2 AND published_at IS NOT NULL"
	rows, err := n.db.QueryContext(ctx, marked, m.row, topic)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int32
	for rows.Next() {
		var task int64
		if err := rows.Scan(&task); err != nil {
			return nil, err
		}
		if p := place(task); !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, rows.Err()
}

// place is where Dapr puts a task's events: TestSameKeysSamePartitions (cmd/todoctl).
func place(task int64) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(strconv.FormatInt(task, 10))) // it never fails
	p := int32(h.Sum32()) % partitions
	return max(p, -p)
}
