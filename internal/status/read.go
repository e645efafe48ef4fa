package status

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A reader reads one snapshot.
type reader struct {
	Options
	reach func() error // whether a broker answers, asked once
}

// Read takes a snapshot. It takes Limit at most, and a little more.
func Read(ctx context.Context, o Options) Snapshot {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	r := &reader{Options: o}
	r.reach = sync.OnceValue(func() error { return kafka.Reach(ctx, o.Client, Limit*2/3) })
	late := unwell(fmt.Sprintf("no answer within %s", Limit), "todoctl doctor")

	api := start(ctx, apiAnswer{API: API{Part: late, URL: o.APIURL}}, r.api)
	broker := start(ctx, brokerAnswer{
		Broker{Part: late, Brokers: r.seeds()}, Topics{Part: late, Wanted: len(o.Specs)},
	}, r.broker)
	sidecar := start(ctx, sidecarAnswer{Sidecar: Sidecar{Part: late, Addr: o.Sidecar.Addr}}, r.sidecar)
	database := start(ctx, Database{Part: late, Database: describe(o.Database)}, r.database)
	outbox := start(ctx, Outbox{Part: late}, r.outbox)
	groups := start(ctx, Groups{Part: late}, r.groups)
	worker := start(ctx, Worker{Part: late, Addr: o.WorkerAddr, Off: o.NoWorker}, r.worker)

	s := Snapshot{Time: began.UTC(), NotWell: []string{}, Versions: Versions{Todoctl: o.Version}}
	a, b, side := <-api, <-broker, <-sidecar
	s.API, s.Versions.API = a.API, a.version
	s.Broker, s.Topics = b.broker, b.topics
	s.Sidecar, s.Versions.Dapr = side.Sidecar, side.version
	s.Database, s.Outbox, s.Groups, s.Worker = <-database, <-outbox, <-groups, <-worker
	s.judge(o)
	s.Seconds = time.Since(began).Seconds()
	return s
}

// judge looks at what only several parts together tell.
func (s *Snapshot) judge(o Options) {
	for _, g := range s.Groups.Groups {
		if g.Group == o.WorkerGroup && g.Members != nil {
			s.Worker.Members = *g.Members
		}
	}
	if s.Worker.Members > 0 && !s.Worker.Answers {
		s.Worker.Part = well() // it runs elsewhere
	}
	for _, p := range s.parts() {
		if !p.OK {
			s.NotWell = append(s.NotWell, p.name)
		}
	}
	s.OK = len(s.NotWell) == 0
}

// start reads a part in the background. One that doesn't heed its context is left
// behind, and counts as late: there is no way to end it.
func start[P any](ctx context.Context, late P, read func(context.Context) P) <-chan P {
	done, answer := make(chan P, 1), make(chan P, 1)
	go func() { done <- read(ctx) }()
	go func() {
		select {
		case p := <-done:
			answer <- p
			return
		case <-ctx.Done():
		}
		grace := time.NewTimer(Limit / 20) // most return right after, with something better to say
		defer grace.Stop()
		select {
		case p := <-done:
			answer <- p
		case <-grace.C:
			answer <- late
		}
	}()
	return answer
}

// oneLine says why something can't be read, without the layers of a timeout.
func oneLine(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", Limit)
	}
	return err.Error()
}
