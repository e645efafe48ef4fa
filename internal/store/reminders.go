package store

import (
	"context"
	"fmt"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A claim takes reminders whose time has come.
type claim struct {
	limit       int
	maxLateness time.Duration
	sent        int
	missed      []task.Reminder
}

// Claimed is what became of the reminders of a claim.
type Claimed struct {
	Sent   int             // their events are in the outbox
	Missed []task.Reminder // later than allowed: there is no event, and will be none
	Next   time.Time       // when the next one is due; it has passed when more are due; zero when none is scheduled
}

// ClaimReminders makes up to limit reminders due whose time has come, oldest first: their
// events are written to the outbox, in one transaction with the note that they are
// sent. One that is more than maxLateness late is noted as missed. Of several callers
// each gets others; what a change holds at the moment is left for the next call, so
// pause a little before it when Next has passed.
func (s *Store) ClaimReminders(ctx context.Context, limit int, maxLateness time.Duration) (Claimed, error) {
	c := &claim{limit: limit, maxLateness: maxLateness}
	r := &request{claim: c}
	// Not in a group: what a change of the same transaction had locked would not be left out.
	s.write(context.WithoutCancel(ctx), []*request{r})
	if r.err != nil {
		return Claimed{}, fmt.Errorf("claim reminders: %w", r.err)
	}
	claimed := Claimed{Sent: c.sent, Missed: c.missed}
	err := s.db.read(ctx, query{
		sql: "SELECT min(due_at) FROM reminders WHERE state = 'scheduled'",
		row: func(scan scanner) error {
			var next stamp
			err := scan(&next)
			claimed.Next = next.value()
			return err
		},
	})
	return claimed, readError("look for the next reminder", err)
}

// claims is the claim of the batch, nil for none.
func (b *batch) claims() *claim {
	for _, r := range b.requests {
		if r.claim != nil {
			return r.claim
		}
	}
	return nil
}

// fallDue works out the reminders that were claimed.
func (b *batch) fallDue(c *claim) error {
	c.sent, c.missed = 0, nil // the transaction may be tried again
	for _, id := range b.due {
		r := b.rows[id]
		fallen, events, err := r.reminder.FallDue(r.task, c.maxLateness, b.now, newEventID)
		if err != nil {
			return err
		}
		r.reminder, r.moved = fallen, true
		b.events = append(b.events, events...)
		if events == nil {
			c.missed = append(c.missed, fallen)
		} else {
			c.sent++
		}
	}
	return nil
}

// reminders lists those that are to be written, and the tasks whose reminders go with
// them.
func (b *batch) reminders() (stored []task.Reminder, gone []int64) {
	for _, r := range b.touched {
		switch {
		case r.gone && r.stored && r.reminder.State != "":
			gone = append(gone, r.task.ID)
		case r.moved && !r.gone:
			stored = append(stored, r.reminder)
		}
	}
	for _, id := range b.due {
		stored = append(stored, b.rows[id].reminder)
	}
	return stored, gone
}
