package dlq

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	commitEvery = time.Second
	commitGrace = 5 * time.Second // for the last commit of a run that was interrupted
)

// A settling keeps the group's commits up to date while letters are settled.
type settling struct {
	job *Job

	mu    sync.Mutex
	dirty map[Place]bool // partitions with letters that were settled since the last commit; offsets are 0
}

func (j *Job) settling() *settling { return &settling{job: j, dirty: make(map[Place]bool)} }

// settle notes that a letter is dealt with.
func (s *settling) settle(at Place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.job.piles[at.Topic][at.Partition]
	if i, ok := slices.BinarySearchFunc(p.marks, at.Offset, func(m mark, offset int64) int { return int(min(max(m.offset-offset, -1), 1)) }); ok {
		p.marks[i].settled = true
		s.dirty[Place{Topic: at.Topic, Partition: at.Partition}] = true
	}
}

// commit writes what was settled since the last time that it did so. One that fails,
// or is cut short by the end of ctx, leaves it all to the next.
func (s *settling) commit(ctx context.Context) error {
	s.mu.Lock()
	ledgers := make(map[string]map[int32]ledger)
	written := s.dirty
	for at := range written {
		if ledgers[at.Topic] == nil {
			ledgers[at.Topic] = make(map[int32]ledger)
		}
		p := s.job.piles[at.Topic][at.Partition]
		ledgers[at.Topic][at.Partition] = tally(p.end, p.marks)
	}
	s.dirty = make(map[Place]bool)
	s.mu.Unlock()
	if len(ledgers) == 0 {
		return nil
	}
	err := s.job.hold.commit(ctx, ledgers)
	if err != nil {
		s.mu.Lock()
		maps.Copy(s.dirty, written)
		s.mu.Unlock()
	}
	return err
}

// last commits once more, also when ctx has ended.
func (s *settling) last(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitGrace)
	defer cancel()
	return s.commit(ctx)
}

// every commits about once a second until the returned function is called, which waits
// for it to end. A commit that fails is passed to failed, and is the last.
func (s *settling) every(ctx context.Context, failed func(error)) func() {
	over := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(commitEvery)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return
			case <-tick.C:
			}
			if err := s.commit(ctx); err != nil {
				failed(err)
				return
			}
		}
	})
	return func() { close(over); running.Wait() }
}

// chosen are the spans with all that is to be dealt with, and what tells of a place
// whether it is one of them. Those that skip names are left out.
func (j *Job) chosen(skip map[Place]bool) (kafka.Spans, map[Place]bool) {
	spans, wanted := make(kafka.Spans), make(map[Place]bool)
	for topic, piles := range j.piles {
		spans[topic] = make(map[int32]kafka.Span)
		for n, p := range piles {
			span := kafka.Span{}
			for _, i := range p.chosen {
				at := Place{Topic: topic, Partition: n, Offset: p.marks[i].offset}
				if skip[at] {
					continue
				}
				if span.To == 0 {
					span.From = at.Offset
				}
				wanted[at] = true
				span.To, span.End = at.Offset+1, at.Offset+1
			}
			spans[topic][n] = span
		}
	}
	return spans, wanted
}

// first returns the first letter to be dealt with in each topic.
func (j *Job) first() []Place {
	var places []Place
	for _, topic := range slices.Sorted(maps.Keys(j.piles)) {
		for _, n := range slices.Sorted(maps.Keys(j.piles[topic])) {
			if p := j.piles[topic][n]; len(p.chosen) > 0 {
				places = append(places, Place{Topic: topic, Partition: n, Offset: p.marks[p.chosen[0]].offset})
				break
			}
		}
	}
	return places
}
