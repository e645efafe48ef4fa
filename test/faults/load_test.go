//go:build unix

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

const (
	clients = 24
	shared  = 8 // tasks that all clients change
)

// A load is the clients of a campaign.
type load struct {
	apis   []string // HOST:PORT of each replica
	http   *http.Client
	turns  chan struct{} // a client takes one for each request
	stop   context.CancelFunc
	over   sync.WaitGroup
	number atomic.Int64 // of requests
	made   atomic.Int64 // changes that were answered with 2xx

	mu             sync.Mutex
	operations     []checker.Operation
	contradictions []string
	common         []int64 // ids of the shared tasks
	gone           int     // requests whose client left
}

// startLoad starts the clients, which send rate requests a second between them, fewer
// when answers are late; finish ends them.
func startLoad(ctx context.Context, seed uint64, rate int, apis []string) *load {
	ctx, stop := context.WithCancel(ctx)
	l := &load{
		apis: apis, stop: stop, turns: make(chan struct{}),
		http: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
	}
	l.over.Go(func() { l.pace(ctx, rate) })
	for number := range clients {
		c := &client{load: l, number: number, user: fmt.Sprintf("user%d", number), random: rand.New(rand.NewPCG(seed, uint64(2+number)))}
		l.over.Go(func() { c.run(ctx) })
	}
	return l
}

// finish ends the clients, each after its request.
func (l *load) finish() {
	l.stop()
	l.over.Wait()
	l.http.CloseIdleConnections()
}

// pace gives out turns, in bursts: requests that come together share a transaction.
func (l *load) pace(ctx context.Context, rate int) {
	const burst = 20 * time.Millisecond
	tick := time.NewTicker(burst)
	defer tick.Stop()
	for {
		for range rate * int(burst) / int(time.Second) {
			select {
			case l.turns <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// record keeps what a client knows of a request.
func (l *load) record(o checker.Operation) {
	if o.Outcome == checker.OK && !o.Replayed {
		l.made.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.operations = append(l.operations, o)
}

// contradict keeps an answer that can't be right.
func (l *load) contradict(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contradictions = append(l.contradictions, fmt.Sprintf(format, args...))
}

// share adds a task to those that all change; it says whether there is room.
func (l *load) share(id int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.common) == shared {
		return false
	}
	l.common = append(l.common, id)
	return true
}

func (l *load) anyShared(random *rand.Rand) (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.common) == 0 {
		return 0, false
	}
	return l.common[random.IntN(len(l.common))], true
}

// outcomes counts the operations.
func (l *load) outcomes() map[checker.Outcome]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := map[checker.Outcome]int{}
	for _, o := range l.operations {
		counts[o.Outcome]++
	}
	return counts
}
