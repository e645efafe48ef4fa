package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// Accept takes over what an event owes to consumers: the receipts of the event and the
// deliveries are written in one transaction, so that an event is owed once to a
// consumer, however often it comes. It returns those that are new; none when the
// event was handled by the consumer instead, see Handle. Whoever calls makes the
// first attempt of those whose Due lies ahead, and has until then.
func (s *Store) Accept(ctx context.Context, instead, eventID string, owed []task.Delivery) (fresh []task.Delivery, err error) {
	r := &request{receipt: &receipt{instead, eventID}}
	if err := r.receipt.storable(); err != nil {
		return nil, err
	}
	for _, d := range owed {
		d.EventID, d.Due = eventID, task.Timestamp(d.Due)
		if err := receiptOf(d).storable(); err != nil {
			return nil, err
		}
		r.owed = append(r.owed, d)
	}
	if err := s.changes.do(ctx, r); err != nil {
		return nil, err
	}
	return r.accepted, nil
}

// receiptOf is the receipt that goes with a delivery.
func receiptOf(d task.Delivery) receipt { return receipt{d.Consumer, d.EventID} }

// accept works out what is new of the deliveries of one event.
func (b *batch) accept(r *request) (fresh []task.Delivery) {
	if b.received[*r.receipt] {
		return nil
	}
	for _, d := range r.owed {
		if b.received[receiptOf(d)] {
			continue
		}
		b.received[receiptOf(d)] = true
		b.receipts = append(b.receipts, receiptOf(d))
		d.ReceivedAt = b.now
		fresh = append(fresh, d)
	}
	b.owed = append(b.owed, fresh...)
	return fresh
}

// ClaimDeliveries takes up to limit deliveries that are due, the longest due first. The
// caller has until lease from now to make an attempt of each and to settle it; others
// claim it then. next is when the next of all is due, zero for none; when it has
// passed there is more to claim.
func (s *Store) ClaimDeliveries(ctx context.Context, limit int, lease time.Duration) (claimed []task.Delivery, next time.Time, err error) {
	now := s.now()
	next, err = s.nextDelivery(ctx)
	if err != nil || limit <= 0 || next.IsZero() || next.After(now) {
		return nil, next, err
	}
	err = s.db.returning(ctx, query{
		sql:  fmt.Sprintf(claimDeliveries, s.db.dialect().skipLocked),
		args: []any{task.Timestamp(now), task.Timestamp(now.Add(lease)), limit},
		row: func(scan scanner) error {
			var d task.Delivery
			var received, due stamp
			err := scan(&d.Consumer, &d.EventID, &d.Payload, &d.Attempts, &received, &due)
			d.ReceivedAt, d.Due = received.value(), due.value()
			claimed = append(claimed, d)
			return err
		},
	})
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("claim deliveries: %w: %w", task.ErrUnavailable, err)
	}
	next, err = s.nextDelivery(ctx)
	return claimed, next, err
}

const claimDeliveries = `WITH due AS MATERIALIZED
		(SELECT consumer, event_id FROM deliveries WHERE next_attempt_at <= $1 ORDER BY next_attempt_at LIMIT $3 %s)
	UPDATE deliveries SET next_attempt_at = $2 WHERE (consumer, event_id) IN (SELECT consumer, event_id FROM due)
	RETURNING consumer, event_id, payload, attempts, received_at, next_attempt_at`

func (s *Store) nextDelivery(ctx context.Context) (time.Time, error) {
	var next stamp
	err := s.db.read(ctx, query{
		sql: "SELECT min(next_attempt_at) FROM deliveries",
		row: func(scan scanner) error { return scan(&next) },
	})
	return next.value(), readError("look for the next delivery", err)
}

// A settlement is what became of an attempt to make a delivery.
type settlement struct {
	task.Delivery
	ended bool      // nothing is owed any more
	undo  bool      // and the event may come again
	until time.Time // else the next attempt
	cause string    // of the failure that counts; "" for none
}

// Delivered notes that a consumer has what was owed to it.
func (s *Store) Delivered(ctx context.Context, d task.Delivery) error {
	return s.marks.do(ctx, &request{settled: &settlement{Delivery: d, ended: true}})
}

// GiveUp ends a delivery that was not made. The event counts as one that the consumer
// never had: when it comes once more it is owed anew.
func (s *Store) GiveUp(ctx context.Context, d task.Delivery) error {
	return s.marks.do(ctx, &request{settled: &settlement{Delivery: d, ended: true, undo: true}})
}

// PutOff has a delivery wait until a moment. With a cause it counts as a failed
// attempt. Nothing happens when somebody else has claimed it meanwhile.
func (s *Store) PutOff(ctx context.Context, d task.Delivery, until time.Time, cause error) error {
	of := &settlement{Delivery: d, until: task.Timestamp(until)}
	if cause != nil {
		of.cause = cmp.Or(reason(task.Failure{Reason: cause.Error()}), "unknown")
	}
	return s.marks.do(ctx, &request{settled: of})
}

// settlements lists those of the batch by what is to be done, in one order everywhere so
// that transactions lock rows alike.
func (b *batch) settlements() (ended, undone, putOff []settlement) {
	for _, r := range b.requests {
		switch {
		case r.settled == nil:
		case r.settled.ended && r.settled.undo:
			undone = append(undone, *r.settled)
			ended = append(ended, *r.settled)
		case r.settled.ended:
			ended = append(ended, *r.settled)
		default:
			putOff = append(putOff, *r.settled)
		}
	}
	for _, list := range [][]settlement{ended, undone, putOff} {
		slices.SortFunc(list, func(x, y settlement) int {
			return cmp.Or(cmp.Compare(x.Consumer, y.Consumer), cmp.Compare(x.EventID, y.EventID))
		})
	}
	return ended, undone, putOff
}

// settles tells whether the batch settles deliveries.
func (b *batch) settles() bool {
	return slices.ContainsFunc(b.requests, func(r *request) bool { return r.settled != nil })
}
