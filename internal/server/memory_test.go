package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// memory is a Store in a map. fail, when set, is the answer to everything.
type memory struct {
	mu     sync.Mutex
	now    func() time.Time
	tasks  map[int64]task.Task
	lastID int64
	keys   map[string]answered
	change task.Change // the last one
	query  task.Query  // the last one
	fail   error
}

type answered struct {
	fingerprint string
	result      task.Result
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, tasks: map[int64]task.Task{}, keys: map[string]answered{}}
}

func (m *memory) Change(_ context.Context, c task.Change) (task.Result, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change = c
	if m.fail != nil {
		return task.Result{}, m.fail
	}
	key := c.UserID + "\x00" + c.IdempotencyKey
	if before, ok := m.keys[key]; ok && c.IdempotencyKey != "" {
		if before.fingerprint != c.Fingerprint {
			return task.Result{}, fmt.Errorf("change: %w", task.ErrKeyReused)
		}
		before.result.Replayed = true
		return before.result, nil
	}
	var current *task.Task
	if t, ok := m.tasks[c.TaskID]; ok {
		current = &t
	}
	outcome, err := c.Apply(current, task.Reminder{}, m.lastID+1, m.now(), func() string { return "id" })
	if err != nil {
		return task.Result{}, fmt.Errorf("change: %w", err)
	}
	m.lastID = max(m.lastID, outcome.Task.ID)
	m.tasks[outcome.Task.ID] = outcome.Task
	if outcome.Deleted {
		delete(m.tasks, outcome.Task.ID)
	}
	result := task.Result{Task: outcome.Task}
	m.keys[key] = answered{c.Fingerprint, result}
	return result, nil
}

func (m *memory) Task(_ context.Context, userID string, id int64) (task.Task, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.tasks[id]
	switch {
	case m.fail != nil:
		return task.Task{}, m.fail
	case !ok || t.UserID != userID:
		return task.Task{}, fmt.Errorf("task %d: %w", id, task.ErrNotFound)
	}
	return t, nil
}

// Tasks pages through a user's tasks by id; it filters nothing.
func (m *memory) Tasks(_ context.Context, userID string, q task.Query) (task.Page, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.query = q
	if m.fail != nil {
		return task.Page{}, m.fail
	}
	var all []task.Task
	for _, t := range m.tasks {
		if t.UserID == userID {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b task.Task) int { return cmp.Compare(a.ID, b.ID) })
	page := task.Page{Total: len(all)}
	after, _ := strconv.ParseInt(q.Cursor, 10, 64)
	for _, t := range all {
		if t.ID <= after {
			continue
		}
		if q.Limit > 0 && len(page.Tasks) == q.Limit {
			page.Next = strconv.FormatInt(page.Tasks[q.Limit-1].ID, 10)
			break
		}
		page.Tasks = append(page.Tasks, t)
	}
	return page, nil
}
