package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// A load is how the load process asks.
type load struct {
	addr    string
	clients int
	warm    time.Duration // before anything is counted
	length  time.Duration // that is counted
	rate    float64       // requests a second of all clients; 0 is one after the other, without a pause
	broker  string        // where the events are read back; "" when they aren't
}

// flags gives the load its command line, which args writes.
func (l *load) flags() *flag.FlagSet {
	f := flag.NewFlagSet("child-load", flag.ContinueOnError)
	f.StringVar(&l.addr, "addr", "", "")
	f.IntVar(&l.clients, "clients", 1, "")
	f.DurationVar(&l.warm, "warm", 0, "")
	f.DurationVar(&l.length, "length", 0, "")
	f.Float64Var(&l.rate, "rate", 0, "")
	f.StringVar(&l.broker, "broker", "", "")
	return f
}

func (l *load) args() []string {
	var own load
	f := own.flags()
	own = *l
	args := []string{f.Name()}
	f.VisitAll(func(one *flag.Flag) { args = append(args, "-"+one.Name, one.Value.String()) })
	return args
}

// A tally is what came of a load.
type tally struct {
	Answers  int     `json:"answers"` // 201, in the time that is counted
	Seconds  float64 `json:"seconds"`
	All      int     `json:"all"` // with those of the warm-up
	Failures int     `json:"failures"`
	Failure  string  `json:"failure,omitempty"` // one of them

	Readable int     `json:"readable"` // events that arrived in the time that is counted
	Missing  int     `json:"missing"`  // answered, but not readable in time
	Answer   delays  `json:"answer"`   // from when the request was due to its answer
	Delay    delays  `json:"delay"`    // from the answer to the event being readable
	Rate     float64 `json:"rate"`     // Answers a second
	CPU      float64 `json:"cpu"`      // microseconds of the cores for one; 0 where the parent asks for it
}

// A delays is a distribution, in milliseconds.
type delays struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// An answer is a task that was made.
type answer struct {
	id        int64
	due, came time.Time
}

// A worker is one client's part of a load.
type worker struct {
	answers  []answer
	failures int
	failure  error
}

// runLoad puts the load of its arguments on a server and prints the tally.
func runLoad(ctx context.Context, out io.Writer, args []string) error {
	var l load
	if err := l.flags().Parse(args); err != nil {
		return err
	}
	var events *reader
	if l.broker != "" {
		var err error
		if events, err = startReader(ctx, l.broker); err != nil {
			return err
		}
	}
	begin := time.Now().Add(l.warm)
	workers, err := l.run(ctx, begin)
	if err != nil {
		return err
	}
	t := l.sum(workers, begin)
	if events != nil {
		arrivals := events.stop(ctx, t.All)
		l.match(&t, workers, begin, arrivals)
	}
	return json.NewEncoder(out).Encode(t)
}

// run returns what every client got until the time is over.
func (l *load) run(ctx context.Context, begin time.Time) ([]worker, error) {
	workers := make([]worker, l.clients)
	clients := make([]*client, l.clients)
	for i := range clients {
		var err error
		if clients[i], err = dial(ctx, l.addr); err != nil {
			return nil, err
		}
		defer clients[i].conn.Close()
	}
	var turn atomic.Int64
	var running sync.WaitGroup
	for i := range clients {
		running.Go(func() { workers[i].work(ctx, l, clients[i], begin, &turn) })
	}
	running.Wait()
	return workers, ctx.Err()
}

// work sends requests until the time is over or the connection is lost.
func (w *worker) work(ctx context.Context, l *load, c *client, begin time.Time, turn *atomic.Int64) {
	end, started := begin.Add(l.length), begin.Add(-l.warm)
	for ctx.Err() == nil {
		due := time.Now()
		if l.rate > 0 {
			due = started.Add(time.Duration(float64(turn.Add(1)-1) / l.rate * float64(time.Second)))
			if due.Before(end) {
				sleepUntil(ctx, due)
			}
		}
		if !due.Before(end) {
			return
		}
		id, err := c.post()
		if err != nil {
			w.failures, w.failure = w.failures+1, err
			if refused := new(refusal); errors.As(err, &refused) {
				continue
			}
			return
		}
		w.answers = append(w.answers, answer{id, due, time.Now()})
	}
}

func sleepUntil(ctx context.Context, t time.Time) {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// sum counts the answers that came in the time that is counted.
func (l *load) sum(workers []worker, begin time.Time) tally {
	t := tally{Seconds: l.length.Seconds()}
	var times []time.Duration
	for _, w := range workers {
		t.All += len(w.answers)
		t.Failures += w.failures
		if w.failure != nil {
			t.Failure = w.failure.Error()
		}
		for _, a := range w.answers {
			if l.counts(a.came, begin) {
				t.Answers++
				times = append(times, a.came.Sub(a.due))
			}
		}
	}
	t.Rate = float64(t.Answers) / t.Seconds
	t.Answer = distribution(times)
	return t
}

func (l *load) counts(at, begin time.Time) bool {
	return !at.Before(begin) && at.Before(begin.Add(l.length))
}
