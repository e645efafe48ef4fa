//go:build unix

package faults

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// commonUser owns the shared tasks.
const commonUser = "everyone"

// A client sends one request after the other, with a model of its own tasks that
// every answer must fit.
type client struct {
	*load
	number int
	user   string
	random *rand.Rand
	tasks  []*model
}

// A model is what a client knows of a task that only it changes.
type model struct {
	id       int64
	sequence int64 // as of the last answer
	unknown  int64 // changes that may have been made since then, or may still be
}

func (c *client) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.turns:
		}
		c.act(ctx)
	}
}

// act does one thing.
func (c *client) act(ctx context.Context) {
	dice := c.random.IntN(100)
	switch {
	case dice < 10:
		c.changeShared(ctx)
	case dice < 30 || len(c.tasks) < 3:
		c.create(ctx)
	case dice < 35:
		c.read(ctx)
	case dice < 38:
		c.stale(ctx)
	case dice < 40:
		c.leave(ctx)
	case dice < 48 || len(c.tasks) > 60:
		c.remove(ctx)
	case dice < 65:
		c.change(ctx, "toggle")
	default:
		c.change(ctx, "update")
	}
}

// title is one that no other request gives.
func (c *client) title() string { return fmt.Sprintf("client %d, %d", c.number, c.number64()) }

func (c *client) number64() int64 { return c.load.number.Add(1) }

func (c *client) any() (int, *model) {
	i := c.random.IntN(len(c.tasks))
	return i, c.tasks[i]
}

func (c *client) create(ctx context.Context) {
	user := c.user
	common := c.random.IntN(50) == 0
	if common {
		user = commonUser
	}
	a := c.send(ctx, request{action: "create", user: user, title: c.title(), keyed: c.random.IntN(4) == 0})
	switch {
	case a.outcome == checker.Fail:
		c.contradict("create: %d", a.status)
	case a.outcome != checker.OK:
	case a.sequence != 1:
		c.contradict("task %d is created with sequence %d", a.task, a.sequence)
	case common:
		c.share(a.task)
	default:
		c.tasks = append(c.tasks, &model{id: a.task, sequence: 1})
	}
}

// changeShared changes a task that others change at the same time.
func (c *client) changeShared(ctx context.Context) {
	id, ok := c.anyShared(c.random)
	if !ok {
		c.create(ctx)
		return
	}
	a := c.send(ctx, request{action: "update", user: commonUser, task: id, title: c.title(), keyed: c.random.IntN(4) == 0})
	if a.outcome == checker.Fail {
		c.contradict("update of shared task %d: %d", id, a.status)
	}
}

// change updates or toggles one of the client's own tasks.
func (c *client) change(ctx context.Context, action string) {
	_, m := c.any()
	r := request{action: action, user: c.user, task: m.id, keyed: c.random.IntN(4) == 0}
	if action == "update" {
		r.title = c.title()
	}
	if m.unknown == 0 && c.random.IntN(5) == 0 {
		r.match = m.sequence
	}
	c.learn(m, r, c.send(ctx, r))
}

// learn brings the model up to date, and checks that the answer fits.
func (c *client) learn(m *model, r request, a answer) {
	switch a.outcome {
	case checker.Unknown:
		m.unknown++ // once, however often it was sent: then it has a key
	case checker.Fail:
		c.contradict("%s of task %d at %d, If-Match %d, with a key %t: %d", r.action, m.id, m.sequence, r.match, r.keyed, a.status)
	default:
		if a.sequence <= m.sequence || a.sequence > m.sequence+m.unknown+1 {
			c.contradict("%s of task %d at %d (%d unknown since): answered with %d", r.action, m.id, m.sequence, m.unknown, a.sequence)
		}
		m.unknown -= a.sequence - m.sequence - 1
		m.sequence = a.sequence
	}
}

// remove deletes a task, and asks for it once more.
func (c *client) remove(ctx context.Context) {
	i, m := c.any()
	c.tasks = slices.Delete(c.tasks, i, i+1)
	a := c.send(ctx, request{action: "delete", user: c.user, task: m.id, keyed: c.random.IntN(4) == 0})
	switch a.outcome {
	case checker.Fail:
		c.contradict("delete of task %d: %d", m.id, a.status)
	case checker.OK:
		if status, _ := c.show(ctx, m.id); status == http.StatusOK {
			c.contradict("task %d is there after its deletion", m.id)
		}
	default:
	}
}

// read asks for a task: what was answered must be there, on every replica.
func (c *client) read(ctx context.Context) {
	_, m := c.any()
	status, sequence := c.show(ctx, m.id)
	switch {
	case status == http.StatusNotFound:
		c.contradict("task %d at %d isn't found", m.id, m.sequence)
	case status == http.StatusOK && (sequence < m.sequence || sequence > m.sequence+m.unknown):
		c.contradict("task %d at %d (%d unknown since): read as %d", m.id, m.sequence, m.unknown, sequence)
	}
}

// stale sends a change that must be refused: its If-Match is that of no version.
func (c *client) stale(ctx context.Context) {
	_, m := c.any()
	a := c.send(ctx, request{action: "update", user: c.user, task: m.id, title: c.title(), match: 1 << 40})
	if a.outcome == checker.OK || a.outcome == checker.Fail && a.status != http.StatusPreconditionFailed {
		c.contradict("a stale update of task %d: %d", m.id, a.status)
	}
}

// leave sends a change and doesn't wait for its answer.
func (c *client) leave(ctx context.Context) {
	_, m := c.any()
	r := request{action: "update", user: c.user, task: m.id, title: c.title()}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.random.IntN(4000))*time.Microsecond)
	defer cancel()
	a := c.send(ctx, r)
	c.learn(m, r, a)
	if a.outcome == checker.Unknown {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.gone++
	}
}
