package notify

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Fan delivers a notification on several channels at once. Make it with NewFan
// and Add; it is not changed while it sends.
type Fan struct {
	channels map[string]member
}

type member struct {
	Channel
	timeout time.Duration
}

// A Result is how one channel took a notification: Err is nil where it is
// delivered.
type Result struct {
	Channel string
	Err     error
}

// NewFan returns a Fan without channels.
func NewFan() *Fan { return &Fan{channels: map[string]member{}} }

// Add gives the Fan a channel, which has at most the timeout for each delivery.
func (f *Fan) Add(name string, c Channel, timeout time.Duration) {
	f.channels[name] = member{Channel: c, timeout: timeout}
}

// Send delivers on the channels named, each once, and returns their results in the
// order of the names. A name that it doesn't know is a permanent error of that
// name, and so is a notification without ID, of every name. The caller keeps what
// was delivered and calls again with the names that failed.
func (f *Fan) Send(ctx context.Context, n Notification, names []string) []Result {
	results := make([]Result, 0, len(names))
	for _, name := range names {
		if !slices.ContainsFunc(results, func(r Result) bool { return r.Channel == name }) {
			results = append(results, Result{Channel: name})
		}
	}
	var sends sync.WaitGroup
	for i := range results {
		sends.Go(func() { results[i].Err = f.sendOne(ctx, n, results[i].Channel) })
	}
	sends.Wait()
	return results
}

func (f *Fan) sendOne(ctx context.Context, n Notification, name string) error {
	to, ok := f.channels[name]
	switch {
	case !ok:
		return permanent("there is no channel %q", name)
	case n.ID == "":
		return permanent("the notification has no id")
	}
	ctx, cancel := context.WithTimeout(ctx, to.timeout)
	defer cancel()
	return to.Send(ctx, n)
}
