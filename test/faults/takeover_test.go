//go:build unix

package faults

import (
	"context"
	"flag"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/test/faults/checker"
)

var lossesFlag = flag.Int("faults.losses", 3, "how often TestTakeover kills the leader; it stops it a third as often")

// Of three replicas on one PostgreSQL one relays. Killed, or stopped as by a paused
// machine, it is replaced within 5 s, and an event made meanwhile reaches the topic.
func TestTakeover(t *testing.T) {
	t.Parallel()
	d := newDrill(t, options{postgres: true, replicas: 3})
	arrivals := d.watchTopic()
	for _, loss := range []struct {
		name   string
		signal syscall.Signal
		times  int
	}{
		{"killed", syscall.SIGKILL, *lossesFlag},
		{"stopped", syscall.SIGSTOP, (*lossesFlag + 2) / 3},
	} {
		var led, out []time.Duration
		for range loss.times {
			l, o := d.loseLeader(loss.signal, arrivals)
			led, out = append(led, l), append(out, o)
		}
		t.Logf("leader %s %d times: another leads after %s; an event made meanwhile is on the topic after %s",
			loss.name, loss.times, spread(led), spread(out))
		if worst := slices.Max(led); worst > 5*time.Second {
			t.Errorf("leader %s: the takeover took %s, allowed are 5 s", loss.name, worst)
		}
	}
	d.judge()
}

// spread is the middle and the greatest of some times.
func spread(times []time.Duration) string {
	times = slices.Sorted(slices.Values(times))
	return times[len(times)/2].Round(10*time.Millisecond).String() + " (median), " +
		times[len(times)-1].Round(10*time.Millisecond).String() + " (at most)"
}

// loseLeader sends the leader a signal, and measures from then on until another leads
// and until the topic has the event of a change that is made at once.
func (d *drill) loseLeader(signal syscall.Signal, a *arrivals) (led, out time.Duration) {
	d.Helper()
	d.until(30*time.Second, "all replicas are ready, one leads", func() bool {
		return d.leaders(nil) == 1 && !slices.ContainsFunc(d.replicas, func(r *replica) bool { return !r.ready(d.ctx) })
	})
	lost := d.leader(d.ctx, 0)
	others := slices.DeleteFunc(slices.Clone(d.replicas), func(r *replica) bool { return r == lost })
	lost.hold(true)
	defer lost.hold(false)
	if err := lost.signal(signal); err != nil {
		d.Fatal(err)
	}
	began := time.Now()
	d.send(others[0])
	made := d.create()
	if made.outcome != checker.OK {
		d.Fatalf("create without a leader: %d", made.status)
	}
	d.until(20*time.Second, "another leads", func() bool { return d.leaders(lost) == 1 })
	led = time.Since(began)
	d.until(20*time.Second, "the event is on the topic", func() bool { return a.has(made.task) })
	out = time.Since(began)
	if signal == syscall.SIGSTOP {
		log := d.log(lost)
		lost.strike(syscall.SIGCONT)
		d.until(20*time.Second, "the old leader knows", func() bool { return log.count("relay lost the lead") > 0 })
	}
	return led, out
}

// leaders counts those who say that they lead, but for one.
func (d *drill) leaders(but *replica) int {
	n := 0
	for _, r := range d.replicas {
		if r != but && r.leads(d.ctx) {
			n++
		}
	}
	return n
}

// arrivals are the tasks of which the topic has an event.
type arrivals struct {
	mu    sync.Mutex
	tasks map[string]bool
}

func (a *arrivals) has(task int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tasks[strconv.FormatInt(task, 10)]
}

// watchTopic reads the topic until the test is over.
func (d *drill) watchTopic() *arrivals {
	client, err := kgo.NewClient(kgo.SeedBrokers(d.kafka.addr()), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		d.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.ctx)
	a := &arrivals{tasks: map[string]bool{}}
	var reading sync.WaitGroup
	reading.Go(func() {
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.tasks[string(r.Key)] = true
			})
		}
	})
	d.Cleanup(func() {
		cancel()
		reading.Wait()
		client.Close()
	})
	return a
}
