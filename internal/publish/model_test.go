package publish

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Flags of the model test, to look for more or to replay one seed:
// go test -run TestModel -model.seed 17 -model.runs 1.
type modelFlags struct {
	seed uint64
	runs int
}

func TestMain(m *testing.M) {
	flag.Uint64Var(&model.seed, "model.seed", 1, "first seed of the model test")
	flag.IntVar(&model.runs, "model.runs", 15, "seeds of the model test")
	flag.Parse()
	m.Run()
}

var model modelFlags

// TestModel lets two relays share an outbox while clients write and everything
// around them fails in every way that is known, for two minutes. A minute after
// the last fault the topic must tell what the outbox tells.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := model.seed; seed < model.seed+uint64(model.runs); seed++ {
		t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
		})
	}
}

func runModel(t *testing.T, seed uint64) {
	b := newBroker()
	o := newOutbox(b)
	w := &weather{random: rand.New(rand.NewPCG(seed, 0)), faults: map[string]int{}}
	b.answer, b.delay = w.answer, w.latency
	o.fault, o.delay = w.store, w.slowness

	wake := make(chan struct{}, 1)
	options := RelayOptions{
		Outbox: o, Publisher: w.through(b), Wake: wake,
		Batch: w.between(1, 40), Calls: w.between(1, 8), Attempts: w.between(2, 10), Drain: 5 * time.Second,
	}
	relays := []func(){start(t, options), start(t, options)}
	for range 400 {
		w.change()
		for range w.between(0, 12) {
			o.add([]string{"task-events", "reminders"}[w.between(0, 5)/5], int64(w.between(1, 30)))
		}
		select {
		case wake <- struct{}{}:
		default:
		}
		switch w.between(0, 60) {
		case 0:
			o.lose()
			w.count("lead lost")
		case 1: // a rolling update
			i := w.between(0, 1)
			relays[i]()
			relays[i] = start(t, options)
			w.count("restart")
		}
		_ = sleep(t.Context(), time.Duration(w.between(0, 600))*time.Millisecond)
	}
	w.clear()
	o.retry()
	took := eventually(t, time.Minute, func() bool { return o.pending() == 0 })
	for _, stop := range relays {
		stop()
	}
	synctest.Wait()
	repeated := check(t, o, b)
	t.Logf("%d events, %d repeated, recovered in %v, faults %v", len(o.rows), repeated, took, w.faults)
}

// weather is what may go wrong, as it is at the moment.
type weather struct {
	mu     sync.Mutex
	random *rand.Rand
	faults map[string]int

	away    bool    // nothing passes
	lost    bool    // everything arrives and no answer does
	hanging bool    // calls end with their context
	odds    float64 // of a message to fail by itself
	topic   string  // refuses everything
	poison  string  // key whose messages are refused
	storage float64 // of a request to the outbox to fail
}

func (w *weather) change() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.random.IntN(8) != 0 {
		return
	}
	w.away, w.lost, w.hanging, w.odds, w.topic, w.poison, w.storage = false, false, false, 0, "", "", 0
	kind := []string{"away", "lost", "hanging", "odds", "topic", "poison", "storage", "fair", "fair"}[w.random.IntN(9)]
	switch kind {
	case "away":
		w.away = true
	case "lost":
		w.lost = true
	case "hanging":
		w.hanging = true
	case "odds":
		w.odds = w.random.Float64()
	case "topic":
		w.topic = []string{"task-events", "reminders"}[w.random.IntN(2)]
	case "poison":
		w.poison = fmt.Sprint(w.random.IntN(30) + 1)
	case "storage":
		w.storage = w.random.Float64()
	}
	w.faults[kind]++
}

func (w *weather) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.away, w.lost, w.hanging, w.odds, w.topic, w.poison, w.storage = false, false, false, 0, "", "", 0
}

func (w *weather) count(fault string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[fault]++
}

func (w *weather) between(low, high int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return low + w.random.IntN(high-low+1)
}

func (w *weather) answer(topic string, batch []Message) ([]bool, []error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.away:
		return nothing(len(batch)), all(len(batch), errAway)
	case w.lost:
		return everything(len(batch)), all(len(batch), context.DeadlineExceeded)
	case w.topic == topic:
		return nothing(len(batch)), all(len(batch), ErrTopicRefused)
	}
	appended, errs := everything(len(batch)), make([]error, len(batch))
	for i, m := range batch {
		switch {
		case m.Key == w.poison:
			appended[i], errs[i] = false, ErrRefused
		case w.random.Float64() < w.odds:
			appended[i], errs[i] = w.random.IntN(2) == 0, errAway
		}
	}
	return appended, errs
}

func (w *weather) latency() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hanging {
		return time.Hour
	}
	return time.Duration(w.random.IntN(20)) * time.Millisecond
}

// through gives every call the bound that a Publisher has.
func (w *weather) through(b *brokerModel) Publisher { return bounded{b} }

type bounded struct{ *brokerModel }

func (b bounded) Publish(ctx context.Context, topic string, batch []Message) []error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return b.brokerModel.Publish(ctx, topic, batch)
}

var errStore = errors.New("database is gone")

func (w *weather) store(request string) (error, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if request == "lead" || w.random.Float64() >= w.storage {
		return nil, false
	}
	return errStore, w.random.IntN(2) == 0
}

func (w *weather) slowness() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Duration(w.random.IntN(5)) * time.Millisecond
}
