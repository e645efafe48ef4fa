package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	replaySave  = time.Second     // between two writes of the state
	replayGrace = 5 * time.Second // for what is in flight when Run is interrupted
)

// Run produces the records again and returns when all are acknowledged, when ctx
// ends or when one fails; State tells how far it came. Until it has succeeded the
// state file says where to go on. It is called once.
func (r *Replay) Run(ctx context.Context) error {
	if err := r.save(r.state); err != nil { // before the first record is there
		return err
	}
	s := newSending(r)
	reading, halt := context.WithCancelCause(ctx)
	writing, abandon := context.WithCancelCause(context.WithoutCancel(ctx)) // what is in flight outlives an interruption
	defer halt(nil)
	defer abandon(nil)
	s.halt, s.abandon = halt, abandon
	over, watched := make(chan struct{}), make(chan struct{})
	go func() { defer close(watched); s.watch(ctx, over) }()

	err := r.tail.consume(reading, r.src, r.spans(), func(records []*kgo.Record) error {
		return s.send(reading, writing, records)
	})
	_ = r.dst.Flush(writing) // it only hurries the records, whose promises tell the errors
	s.open.Wait()
	close(over)
	<-watched
	if err := s.verdict(ctx, err); err != nil {
		return errors.Join(err, r.save(s.progress()))
	}
	s.finish()
	if r.o.Progress != nil {
		r.o.Progress(r.State())
	}
	return r.forget()
}

// Count reads what Run would produce, and notes its records and bytes in the State.
func (r *Replay) Count(ctx context.Context) error {
	s := newSending(r)
	err := r.tail.consume(ctx, r.src, r.spans(), func(records []*kgo.Record) error {
		for _, rec := range records {
			l := s.lanes[rec.Partition]
			if r.o.Keep != nil && !r.o.Keep(rec) {
				l.skip(rec)
				continue
			}
			l.ack(l.add(rec))
		}
		return nil
	})
	for i, p := range r.state.Partitions {
		next := p.Next // of a dry run nothing is done
		r.state.Partitions[i] = s.lanes[p.Partition].done
		r.state.Partitions[i].Next = next
	}
	return err
}

// spans are what is left to read.
func (r *Replay) spans() Spans {
	left := make(map[int32]Span, len(r.state.Partitions))
	for _, p := range r.state.Partitions {
		left[p.Partition] = Span{From: p.Next, To: p.To, End: p.To}
	}
	return Spans{r.o.Topic: left}
}

// sending is one Run.
type sending struct {
	*Replay
	halt    context.CancelCauseFunc // ends the reading
	abandon context.CancelCauseFunc // ends what is in flight
	pace    pace
	open    sync.WaitGroup // records that are in flight

	mu     sync.Mutex // of all below
	lanes  map[int32]*lane
	inside int       // how many are in flight
	moved  time.Time // when one was last sent into an empty flight, or acknowledged
	failed error     // the first failure
}

func newSending(r *Replay) *sending {
	s := &sending{Replay: r, lanes: make(map[int32]*lane, len(r.state.Partitions)), pace: pace{rate: r.o.Rate}}
	for _, p := range r.state.Partitions {
		s.lanes[p.Partition] = &lane{done: p}
	}
	return s
}

// send is called with the records of one partition, in order.
func (s *sending) send(reading, writing context.Context, records []*kgo.Record) error {
	for _, rec := range records {
		if s.o.Keep != nil {
			if !s.o.Keep(rec) {
				s.mu.Lock()
				s.lanes[rec.Partition].skip(rec)
				s.mu.Unlock()
				continue
			}
			rec = detached(rec)
		}
		if err := s.pace.wait(reading); err != nil {
			return err
		}
		if err := reading.Err(); err != nil {
			return err
		}
		number, partition, offset := s.sent(rec), rec.Partition, rec.Offset // the promise shouldn't keep rec
		s.dst.Produce(writing, s.again(rec), func(_ *kgo.Record, err error) {
			defer s.open.Done()
			if errors.Is(err, context.Canceled) {
				err = context.Cause(writing)
			}
			s.answered(partition, offset, number, err)
		})
	}
	return nil
}

func (s *sending) sent(rec *kgo.Record) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open.Add(1)
	if s.inside++; s.inside == 1 {
		s.moved = time.Now()
	}
	return s.lanes[rec.Partition].add(rec)
}

func (s *sending) answered(partition int32, offset, number int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside--
	if err == nil {
		s.moved = time.Now()
		s.lanes[partition].ack(number)
		return
	}
	if s.failed == nil {
		s.failed = fmt.Errorf("produce %s[%d]@%d again to topic %q: %w", s.o.Topic, partition, offset, s.o.ToTopic, err)
		s.halt(s.failed)
	}
}

var errInterrupted = errors.New("interrupted before it was acknowledged")

// watch writes the progress while Run is under way, and sees to it that Run ends.
func (s *sending) watch(ctx context.Context, over <-chan struct{}) {
	tick := time.NewTicker(replaySave)
	defer tick.Stop()
	interrupted := ctx.Done()
	var grace <-chan time.Time
	for {
		select {
		case <-over:
			return
		case <-interrupted:
			interrupted, grace = nil, time.After(replayGrace)
		case <-grace:
			s.abandon(errInterrupted)
		case <-tick.C:
			s.tick()
		}
	}
}

func (s *sending) tick() {
	state := s.progress()
	if err := s.save(state); err != nil {
		s.fail(err)
	}
	if s.o.Progress != nil {
		s.o.Progress(state)
	}
	s.mu.Lock()
	stalled := s.inside > 0 && time.Since(s.moved) > s.o.Patience
	s.mu.Unlock()
	if stalled {
		s.abandon(errStalled)
	}
}

func (s *sending) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = err
	}
	s.halt(err)
}

// verdict is why Run ended early, nil if it didn't. An interruption is the reason
// also where it made records fail. read is how the reading ended.
func (s *sending) verdict(ctx context.Context, read error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.failed == nil && read == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case s.failed != nil:
		return s.failed
	default:
		return read
	}
}

// progress is the Replay's state, as far as the lanes are.
func (s *sending) progress() ReplayState {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, p := range s.state.Partitions {
		s.state.Partitions[i] = s.lanes[p.Partition].done
	}
	return s.State()
}

// finish passes over what lies between the last records and the ends: markers, and
// what compaction left.
func (s *sending) finish() {
	s.progress()
	for i := range s.state.Partitions {
		s.state.Partitions[i].Next = s.state.Partitions[i].To
	}
}

// pace spreads records over time.
type pace struct {
	rate float64 // a second; 0 is no limit
	next time.Time
}

// wait returns when the next record is due. What was missed is not made up for.
func (p *pace) wait(ctx context.Context) error {
	if p.rate <= 0 {
		return nil
	}
	if now := time.Now(); p.next.Before(now.Add(-10 * time.Millisecond)) {
		p.next = now
	}
	due := time.Until(p.next)
	p.next = p.next.Add(time.Duration(float64(time.Second) / p.rate))
	if due < time.Millisecond {
		return nil
	}
	timer := time.NewTimer(due)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
