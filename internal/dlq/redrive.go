package dlq

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// RedriveOptions say how a Job's letters go back.
type RedriveOptions struct {
	// Canary, if set, says how the first letter of each topic is watched before the
	// rest goes. A job with a single letter has no canary.
	Canary *Canary

	// Wait, if set, returns when the next letter may go.
	Wait func(context.Context) error

	// Value, if set, goes in place of the payload of a job's only letter.
	Value []byte

	// Settled, if set, is told of each letter that is back where it came from.
	// It is never called twice at a time.
	Settled func()
}

// An Outcome is what became of a redrive.
type Outcome struct {
	Redriven int      `json:"redriven"` // acknowledged by the topics that they came from
	Failed   int      `json:"failed"`   // refused there; they stay in the backlog
	Failures []string `json:"failures"` // places, and why, of the first that failed
	Canaries []Sent   `json:"canaries"`
}

const maxFailures = 20 // that are told one by one

// Redrive produces the job's letters to where they came from and settles each once it is
// acknowledged. It returns early when ctx ends, once what is in flight is settled; when
// a canary doesn't pass, with a *CanaryError; and when the brokers acknowledge nothing.
// A letter that is refused stays in the backlog and doesn't keep the others. What was
// done is told in any case. It is called once.
func (j *Job) Redrive(ctx context.Context, o RedriveOptions) (Outcome, error) {
	r := &redriving{settling: j.settling(), o: o, Outcome: Outcome{Failures: []string{}, Canaries: []Sent{}}}
	if j.plan.Selected == 0 {
		return r.Outcome, nil
	}
	held, lose := j.hold.guard(ctx)
	defer lose(nil)
	var err error
	r.cl, err = kafka.NewClient(j.box.o, kafka.KeepPartitions(), kgo.MaxBufferedBytes(4<<20))
	if err != nil {
		return r.Outcome, err
	}
	defer r.cl.Close()

	done := r.every(held, lose)
	err = r.run(held)
	done()
	last := r.last(ctx)
	if ctx.Err() == nil && held.Err() != nil {
		return r.Outcome, context.Cause(held)
	}
	return r.Outcome, errors.Join(err, last)
}

// redriving is one Redrive.
type redriving struct {
	*settling
	Outcome
	o       RedriveOptions
	cl      *kgo.Client
	failure error // of the letter that failed last
}

func (r *redriving) run(ctx context.Context) error {
	sent := make(map[Place]bool)
	if r.o.Canary != nil && r.job.plan.Selected > 1 {
		for _, at := range r.job.first() {
			sent[at] = true
			if err := r.canary(ctx, at); err != nil {
				return err
			}
		}
	}
	spans, wanted := r.job.chosen(sent)
	if len(wanted) == 0 {
		return nil
	}
	// What is in flight outlives an interruption, but not the hold.
	writing, abandon := context.WithCancelCause(context.WithoutCancel(ctx))
	defer abandon(nil)
	defer context.AfterFunc(ctx, func() {
		if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
			abandon(err)
		}
	})()
	var read error
	kafka.Stream(writing, r.cl, r.letters(ctx, spans, wanted, &read), r.settled)
	switch {
	case errors.Is(read, errStopped):
		return fmt.Errorf("gave up: %w", r.failure)
	case read != nil:
		return read
	}
	for at := range wanted {
		r.fail(at, errors.New("it isn't there any more"))
	}
	return nil
}

var errStopped = errors.New("no more letters are taken")

// letters are the records to produce, by the places of their letters, which are deleted
// from wanted. It sets read to why it ended early.
func (r *redriving) letters(ctx context.Context, spans kafka.Spans, wanted map[Place]bool, read *error) iter.Seq2[Place, *kgo.Record] {
	return func(yield func(Place, *kgo.Record) bool) {
		*read = r.job.box.read(ctx, spans, func(letters []Letter) error {
			for _, l := range letters {
				if !wanted[l.Place()] {
					continue
				}
				if r.o.Wait != nil {
					if err := r.o.Wait(ctx); err != nil {
						return err
					}
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				delete(wanted, l.Place())
				if !yield(l.Place(), r.record(l)) {
					return errStopped
				}
			}
			return nil
		})
	}
}

// record is what goes back of the letter.
func (r *redriving) record(l Letter) *kgo.Record {
	if r.o.Value != nil {
		edited := *l.Record
		edited.Value = r.o.Value
		l.Record = &edited
	}
	return l.again(r.job.origins[l.Origin.Topic])
}

// settled is told of each record that was produced or has failed; never twice at a time.
func (r *redriving) settled(at Place, err error) {
	if err != nil {
		r.fail(at, err)
		return
	}
	r.settle(at)
	r.Redriven++
	if r.o.Settled != nil {
		r.o.Settled()
	}
}

func (r *redriving) fail(at Place, err error) {
	r.failure = err
	if r.Failed++; r.Failed <= maxFailures {
		r.Failures = append(r.Failures, fmt.Sprintf("%s: %v", at, err))
	}
}
