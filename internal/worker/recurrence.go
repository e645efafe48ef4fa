package worker

import (
	"context"
	"errors"

	"github.com/todoctl/todoctl/internal/task"
)

// recur makes the next task of a completed one's series.
func (w *Worker) recur(ctx context.Context, e event) (result string, err error) {
	completed, err := task.ReadSnapshot(e.data)
	if err == nil && (completed.ID <= 0 || completed.UserID == "") {
		err = errors.New("the event has no task_id or no user_id")
	}
	if err != nil {
		return "", wrongData(err)
	}
	next, recurs := completed.Next()
	if !recurs {
		return resultNothing, nil
	}
	next.Traceparent = e.text("traceparent")
	fresh, err := w.o.Store.Handle(ctx, recurrenceConsumer, e.id, &next)
	if err != nil {
		return "", err
	}
	if !fresh {
		return resultRepeated, nil
	}
	w.log.Info("task of a series completed: its next one is there", "task_id", completed.ID, "event_id", e.id)
	return resultHandled, nil
}
