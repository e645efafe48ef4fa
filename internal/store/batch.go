package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/todoctl/todoctl/internal/task"
)

// A batch is what one transaction does. The database fills in what it knows (ids,
// rows, keys), decide works out the changes in memory, in turn, and the database
// writes what came of it.
type batch struct {
	requests []*request
	now      time.Time
	creates  int // changes that need an id

	ids  []int64         // free ids for created tasks, at least creates of them
	rows map[int64]*row  // tasks by id
	keys map[keyID]saved // idempotency keys
	due  []int64         // tasks whose reminders fall due, of a claim

	received  map[receipt]bool // events that have been handled
	continued map[int64]bool   // tasks that have a next one

	touched   []*row // changed tasks, in order of their first change
	events    []task.Event
	newKeys   []saved
	receipts  []receipt
	owed      []task.Delivery
	published []int64
	failures  []task.Failure
	results   []task.Result
	accepted  [][]task.Delivery // of each request
	errs      []error
}

// A row is a task within a batch.
type row struct {
	task     task.Task
	reminder task.Reminder // zero when the task never had one
	stored   bool          // the database holds it
	touched  bool          // changed by the batch
	gone     bool          // deleted by the batch
	moved    bool          // its reminder was changed by the batch
}

// A keyID is an idempotency key: keys are per user.
type keyID struct{ user, key string }

func (k keyID) compare(other keyID) int {
	return cmp.Or(cmp.Compare(k.user, other.user), cmp.Compare(k.key, other.key))
}

// A saved is the remembered answer to a change with an idempotency key.
type saved struct {
	keyID
	fingerprint string
	task        task.Task
}

func newBatch(requests []*request, now time.Time) *batch {
	b := &batch{
		requests: requests, now: task.Timestamp(now),
		rows: map[int64]*row{}, keys: map[keyID]saved{}, received: map[receipt]bool{}, continued: map[int64]bool{},
		results: make([]task.Result, len(requests)), accepted: make([][]task.Delivery, len(requests)), errs: make([]error, len(requests)),
	}
	for _, r := range requests {
		if r.change != nil && r.change.Action == task.Create {
			b.creates++
		}
		b.published = append(b.published, r.published...)
		b.failures = append(b.failures, r.failures...)
	}
	// In order, so that two leaders lock rows in the same order.
	slices.Sort(b.published)
	b.published = slices.Compact(b.published)
	slices.SortFunc(b.failures, func(x, y task.Failure) int { return cmp.Compare(x.Row, y.Row) })
	return b
}

// A wanted is a task that a change touches.
type wanted struct {
	id   int64
	user string
}

// wantedTasks lists the tasks to read and lock, each once, in order of their ids.
func (b *batch) wantedTasks() []wanted {
	var list []wanted
	for _, r := range b.requests {
		if r.change != nil && r.change.Action != task.Create {
			list = append(list, wanted{r.change.TaskID, r.change.UserID})
		}
	}
	slices.SortFunc(list, func(x, y wanted) int {
		return cmp.Or(cmp.Compare(x.id, y.id), cmp.Compare(x.user, y.user))
	})
	return slices.Compact(list)
}

// wantedKeys lists the idempotency keys to read, each once, in order.
func (b *batch) wantedKeys() []keyID {
	var list []keyID
	for _, r := range b.requests {
		if r.change != nil && r.change.IdempotencyKey != "" {
			list = append(list, keyID{r.change.UserID, r.change.IdempotencyKey})
		}
	}
	slices.SortFunc(list, keyID.compare)
	return slices.Compact(list)
}

// decide works out every change. A bad one gets its error and leaves no trace.
func (b *batch) decide() {
	for i, r := range b.requests {
		switch {
		case r.claim != nil:
			b.errs[i] = b.fallDue(r.claim)
		case r.owed != nil:
			b.accepted[i] = b.accept(r)
		case r.receipt != nil:
			b.results[i], b.errs[i] = b.handle(*r.receipt, r.change)
		case r.change != nil:
			b.results[i], b.errs[i] = b.change(*r.change)
		}
	}
	slices.SortFunc(b.newKeys, func(x, y saved) int { return x.compare(y.keyID) })
}

func (b *batch) change(c task.Change) (task.Result, error) {
	key := keyID{c.UserID, c.IdempotencyKey}
	if old, ok := b.keys[key]; ok && c.IdempotencyKey != "" {
		if old.fingerprint != c.Fingerprint {
			return task.Result{}, task.ErrKeyReused
		}
		return task.Result{Task: old.task, Replayed: true}, nil
	}
	if c.PreviousID != 0 && b.continued[c.PreviousID] {
		return task.Result{Replayed: true}, nil
	}
	var id int64
	if c.Action == task.Create {
		id = b.ids[0]
	}
	current, reminder := b.current(c.TaskID)
	outcome, err := c.Apply(current, reminder, id, b.now, newEventID)
	if err != nil {
		return task.Result{}, err
	}
	if c.Action == task.Create {
		b.ids = b.ids[1:]
		b.continued[c.PreviousID] = c.PreviousID != 0
	}
	b.keep(outcome)
	if c.IdempotencyKey != "" {
		b.keys[key] = saved{key, c.Fingerprint, outcome.Task}
		b.newKeys = append(b.newKeys, b.keys[key])
	}
	return task.Result{Task: outcome.Task}, nil
}

func (b *batch) current(id int64) (*task.Task, task.Reminder) {
	if r := b.rows[id]; r != nil && !r.gone {
		return &r.task, r.reminder
	}
	return nil, task.Reminder{}
}

// keep remembers an outcome for the changes after it and for writing.
func (b *batch) keep(o task.Outcome) {
	if len(o.Events) == 0 {
		return
	}
	b.events = append(b.events, o.Events...)
	r := b.rows[o.Task.ID]
	if r == nil {
		r = &row{}
		b.rows[o.Task.ID] = r
	}
	if !r.touched {
		r.touched = true
		b.touched = append(b.touched, r)
	}
	r.task, r.gone = o.Task, o.Deleted
	if o.Reminder != nil {
		r.reminder, r.moved = *o.Reminder, true
	}
}

// newEventID makes the id of an event, a UUIDv7: ids grow with time, which keeps
// their index compact. crypto/rand doesn't fail.
func newEventID() string { return uuid.Must(uuid.NewV7()).String() }

// tasks lists the changed tasks by what is to be done with their rows.
func (b *batch) tasks() (inserted, updated, deleted []task.Task) {
	for _, r := range b.touched {
		switch {
		case r.stored && r.gone:
			deleted = append(deleted, r.task)
		case r.stored:
			updated = append(updated, r.task)
		case !r.gone:
			inserted = append(inserted, r.task)
		}
	}
	return inserted, updated, deleted
}

// writes reports whether there is anything to write.
func (b *batch) writes() bool {
	return len(b.events)+len(b.newKeys)+len(b.receipts)+len(b.due)+len(b.published)+len(b.failures) > 0 || b.settles()
}

// answer gives every request its answer, after the commit.
func (b *batch) answer() {
	for i, r := range b.requests {
		r.result, r.accepted, r.err = b.results[i], b.accepted[i], b.errs[i]
	}
}
