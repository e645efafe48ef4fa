package main

import (
	"time"

	"github.com/google/uuid"

	"github.com/todoctl/todoctl/internal/task"
)

// creation is the change that every contender makes.
func creation() (task.Change, error) {
	patch, err := task.ParsePatch([]byte(body))
	return task.Change{Action: task.Create, UserID: "u1", Patch: patch}, err
}

// samples are the events of that change: on task-events and on task-updates.
func samples(id int64) ([]task.Event, error) {
	change, err := creation()
	if err != nil {
		return nil, err
	}
	outcome, err := change.Apply(nil, task.Reminder{}, id, time.Now(), func() string { return uuid.Must(uuid.NewV7()).String() })
	return outcome.Events, err
}
