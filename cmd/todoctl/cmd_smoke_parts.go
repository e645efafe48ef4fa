package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/smoke"
	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
)

// probeTasks are the tasks of smoke's user.
type probeTasks struct{ api *client }

// Add implements smoke.API.
func (p probeTasks) Add(ctx context.Context, title string) (int64, error) {
	t, err := p.api.add(ctx, map[string]any{"title": title, "description": "made by 'todoctl smoke', which deletes it"})
	return t.ID, err
}

// Sweep implements smoke.API.
func (p probeTasks) Sweep(ctx context.Context, prefix string) (int, error) {
	found, err := p.api.list(ctx, url.Values{"search": {prefix}, "status": {"all"}}, 0)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, t := range found.Tasks {
		if !strings.HasPrefix(t.Title, prefix) {
			continue
		}
		if err := p.api.remove(ctx, t.ID); err != nil && !isGone(err) {
			return n, err
		}
		n++
	}
	return n, nil
}

// isGone tells whether somebody else has deleted the task.
func isGone(err error) bool {
	var refused apiError
	return errors.As(err, &refused) && refused.status == http.StatusNotFound
}

// probeOpenWait bounds how long the database is waited for, which smoke can do without.
const probeOpenWait = 3 * time.Second

// A probeOutbox is the outbox of the database in use, opened when it is asked.
type probeOutbox struct {
	url string
	db  *store.Store
}

// Waiting implements smoke.Outbox.
func (p *probeOutbox) Waiting(ctx context.Context, topic, title string, id int64) (string, error) {
	if p.db == nil {
		opening, cancel := context.WithTimeout(ctx, probeOpenWait)
		defer cancel()
		db, err := store.OpenExisting(opening, p.url, store.Options{})
		if err != nil {
			return "", fmt.Errorf("%w: %w", smoke.ErrNotHere, err)
		}
		p.db = db
	}
	t, err := p.db.Task(ctx, smoke.User, id)
	if errors.Is(err, task.ErrNotFound) || err == nil && t.Title != title {
		return "", fmt.Errorf("%w: %s is not the database of this API", smoke.ErrNotHere, store.Describe(p.url))
	}
	if err != nil {
		return "", err
	}
	page, _, err := p.db.Waiting(ctx, store.WaitingQuery{Selection: store.Selection{Topic: topic, TaskID: id}, Limit: 1})
	if err != nil || len(page) == 0 {
		return "", err
	}
	return p.why(ctx, describeWaiting(&page[0], time.Now()))
}

// why tells what keeps an event in the outbox. An outage counts as no attempt: then it is
// the relay that tells.
func (p *probeOutbox) why(ctx context.Context, e *waitingEvent) (string, error) {
	if e.LastError != "" {
		return e.why() + "; its last error: " + e.LastError, nil
	}
	leader, err := p.db.Leader(ctx)
	if err != nil {
		return "", err
	}
	if !leader.Leads {
		return e.why() + ", and no relay leads: start 'todoctl serve' with publishing on", nil
	}
	return e.why() + "; a relay leads, and what it publishes doesn't pass: sidecar or broker are away", nil
}

func (p *probeOutbox) close() {
	if p.db != nil {
		_ = p.db.Close() // it was only read
	}
}

// publishProbe publishes an event through the sidecar.
func publishProbe(ctx context.Context, cfg *config.Config, topic, key string, event []byte) error {
	dapr, err := attachDapr(ctx, cfg)
	if err != nil {
		return err
	}
	defer dapr.Close() //nolint:errcheck // nothing is under way
	return publishOne(ctx, dapr, topic, key, event)
}
