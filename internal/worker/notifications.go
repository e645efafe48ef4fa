package worker

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/task"
)

// lateAfter is how long after its time a notification says that it is late, also when
// the reminder fell due on time and was held up on its way.
const lateAfter = time.Minute

// A due is the data of a reminder.due.
type due struct {
	TaskID   int64     `json:"task_id"`
	Title    string    `json:"title"`
	UserID   string    `json:"user_id"`
	RemindAt time.Time `json:"remind_at"`
	DueDate  time.Time `json:"due_date"` // zero for none
	Channels []string  `json:"channels"`
	Timezone string    `json:"timezone"`
	Late     bool      `json:"late"`
}

func parseDue(data []byte) (due, error) {
	var d due
	if err := json.Unmarshal(data, &d); err != nil {
		return d, wrongData(err)
	}
	if d.TaskID <= 0 || d.UserID == "" || d.RemindAt.IsZero() {
		return d, invalidError{errors.New("the reminder has no task_id, no user_id or no remind_at")}
	}
	return d, nil
}

// remind owes the user a notification on each channel that has none of this event yet.
func (w *Worker) remind(ctx context.Context, e event) (result string, err error) {
	d, err := parseDue(e.data)
	if err != nil {
		return "", err
	}
	wanted := w.o.Notify.Wanted(d.UserID, d.Channels)
	if until := w.quiet(d); !until.IsZero() {
		known, err := w.known(ctx, e.id, wanted)
		if err != nil {
			return "", err
		}
		if !known {
			return w.hold(ctx, e.id, d, until)
		}
	}
	payload, err := json.Marshal(parcel{e.origin, e.body})
	if err != nil {
		return "", invalidError{err}
	}
	owed := make([]task.Delivery, len(wanted))
	for i, channel := range wanted {
		owed[i] = task.Delivery{Consumer: channelConsumer(channel), Payload: payload}
	}
	return w.owe(ctx, e, owed)
}

// quiet is the end of the user's quiet hours, zero outside of them.
func (w *Worker) quiet(d due) time.Time { return w.o.Notify.User(d.UserID).Quiet.Until(w.o.Now()) }

// known tells whether an event has come before.
func (w *Worker) known(ctx context.Context, eventID string, channels []string) (bool, error) {
	consumers := []string{notificationConsumer}
	for _, channel := range channels {
		consumers = append(consumers, channelConsumer(channel))
	}
	handled, err := w.o.Store.Handled(ctx, eventID, consumers)
	return len(handled) > 0, err
}

// channelConsumer is a consumer of its own for each channel, so that a retry reaches
// only those that failed.
func channelConsumer(channel string) string { return channelPrefix + channel }

const channelPrefix = notificationConsumer + ":"

// hold puts a reminder off until the end of the quiet hours: the task's reminder is set
// to that time, in one transaction with the note that this event is handled. A task
// that was completed, deleted or has another reminder by now needs none.
func (w *Worker) hold(ctx context.Context, eventID string, d due, until time.Time) (string, error) {
	t, err := w.o.Store.Task(ctx, d.UserID, d.TaskID)
	if errors.Is(err, task.ErrNotFound) {
		return resultNothing, nil
	}
	if err != nil {
		return "", err
	}
	if at := t.ReminderAt(); at == nil || !at.Equal(d.RemindAt) {
		return resultNothing, nil
	}
	until = task.Timestamp(until)
	fresh, err := w.o.Store.Handle(ctx, notificationConsumer, eventID, &task.Change{
		Action: task.Update, UserID: d.UserID, TaskID: d.TaskID, IfMatch: []int64{t.Sequence}, Patch: task.Patch{RemindAt: &until},
	})
	if err != nil || !fresh {
		return resultRepeated, err
	}
	w.log.Info("quiet hours: the reminder is put off", "task_id", d.TaskID, "until", until, "event_id", eventID)
	return resultHeld, nil
}

func (w *Worker) notification(eventID string, d due) notify.Notification {
	zone := w.o.Notify.User(d.UserID).Zone
	if zone == time.UTC {
		if of, err := time.LoadLocation(d.Timezone); err == nil {
			zone = of
		}
	}
	n := notify.Notification{
		ID: eventID, TaskID: d.TaskID, UserID: d.UserID, Title: d.Title, RemindAt: d.RemindAt.In(zone),
		Late: d.Late || w.o.Now().Sub(d.RemindAt) > lateAfter,
	}
	if !d.DueDate.IsZero() {
		n.Due = d.DueDate.In(zone)
	}
	return n
}
