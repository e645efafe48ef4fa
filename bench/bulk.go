package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/task"
)

// What the relay is measured against: bulk calls of so many events, so many at a time.
const (
	bulkEvents = 100
	bulkCalls  = 8
)

// runBulk takes the sidecar's gRPC address, the pubsub and a number of events. It
// publishes so many in bulk, without any outbox, and prints a tally.
func runBulk(ctx context.Context, out io.Writer, args []string) (err error) {
	if len(args) != 3 {
		return errors.New("the bulk loop needs an address, a pubsub and the number of events")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	d, err := publish.NewDapr(publish.DaprOptions{GRPCAddr: args[0], PubSub: args[1]})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	batches, err := batches(n)
	if err != nil {
		return err
	}
	meter := startMeter(map[string]int{"publisher": os.Getpid()}) // without the making of the events
	began := time.Now()
	if err := publishAll(ctx, d, batches); err != nil {
		return err
	}
	t := tally{Answers: n, All: n, Seconds: time.Since(began).Seconds(), CPU: meter.each(n)["publisher"]}
	t.Rate = float64(n) / t.Seconds
	return json.NewEncoder(out).Encode(t)
}

// A bulkCall is the events of one call.
type bulkCall struct {
	topic  string
	events []publish.Message
}

// batches are n events, or one more, as the relay would find them in an outbox.
func batches(n int) ([]bulkCall, error) {
	var all []bulkCall
	open := map[string]int{} // the last call of a topic
	for i := range (n + 1) / 2 {
		events, err := samples(int64(i + 1))
		if err != nil {
			return nil, err
		}
		for _, e := range events {
			if i%bulkEvents == 0 {
				open[e.Topic] = len(all)
				all = append(all, bulkCall{topic: e.Topic})
			}
			last := &all[open[e.Topic]]
			last.events = append(last.events, publish.Message{ID: e.ID, Key: e.Key(), ContentType: task.ContentType, Data: e.Payload})
		}
	}
	return all, nil
}

func publishAll(ctx context.Context, d *publish.Dapr, batches []bulkCall) error {
	var next atomic.Int64
	errs := make([]error, bulkCalls)
	var calls sync.WaitGroup
	for i := range errs {
		calls.Go(func() {
			for errs[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= len(batches) {
					return
				}
				errs[i] = errors.Join(d.Publish(ctx, batches[n].topic, batches[n].events)...)
			}
		})
	}
	calls.Wait()
	return errors.Join(errs...)
}
