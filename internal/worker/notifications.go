package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// notify tells the user on each channel that wasn't used for the event yet.
func (w *Worker) notify(ctx context.Context, e event) (result string, err error) {
	d, err := parseDue(e.data)
	if err != nil {
		return "", err
	}
	channels, err := w.channels(ctx, e.id, d)
	if err != nil || len(channels) == 0 {
		return resultRepeated, err
	}
	if until := w.o.Notify.User(d.UserID).Quiet.Until(w.o.Now()); !until.IsZero() {
		return w.hold(ctx, e.id, d, until)
	}
	var errs []error
	var told []string
	for _, r := range w.o.Fan.Send(ctx, w.notification(e.id, d), channels) {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", r.Channel, r.Err))
			continue
		}
		told = append(told, r.Channel)
		// Noted after sending: a crash between the two repeats the notification, it never loses it.
		if _, err := w.o.Store.Handle(ctx, channelConsumer(r.Channel), e.id, nil); err != nil {
			errs = append(errs, err)
		}
	}
	if err := worst(errs); err != nil {
		return "", err
	}
	delay := w.o.Now().Sub(d.RemindAt)
	w.metrics.delay.Observe(delay.Seconds())
	w.log.Info("reminded", "task_id", d.TaskID, "channels", strings.Join(told, ","), "delay", delay.Round(time.Millisecond), "event_id", e.id)
	return resultHandled, nil
}

// channels are those that are wanted and that the event wasn't delivered on yet; none
// when it needs no more notification.
func (w *Worker) channels(ctx context.Context, eventID string, d due) ([]string, error) {
	wanted := w.o.Notify.Wanted(d.UserID, d.Channels)
	consumers := []string{notificationConsumer}
	for _, channel := range wanted {
		consumers = append(consumers, channelConsumer(channel))
	}
	handled, err := w.o.Store.Handled(ctx, eventID, consumers)
	if err != nil || slices.Contains(handled, notificationConsumer) {
		return nil, err
	}
	var open []string
	for _, channel := range wanted {
		if !slices.Contains(handled, channelConsumer(channel)) {
			open = append(open, channel)
		}
	}
	return open, nil
}

// channelConsumer is a consumer of its own for each channel, so that a retry reaches
// only those that failed.
func channelConsumer(channel string) string { return notificationConsumer + ":" + channel }

// worst joins errors so that one which may pass keeps the event alive: errors.As finds
// the first that fits, and all of them are told.
func worst(errs []error) error {
	for _, err := range errs {
		if !isPermanent(err) {
			return transientError{errors.Join(errs...), errors.Is(err, task.ErrUnavailable)}
		}
	}
	return errors.Join(errs...)
}

// transientError hides from errors.As that some of its errors are permanent.
type transientError struct {
	err         error
	unavailable bool
}

func (e transientError) Error() string { return e.err.Error() }

// Is keeps known that it was the database.
func (e transientError) Is(target error) bool { return e.unavailable && target == task.ErrUnavailable }

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
