//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// tries is how often a request with an idempotency key is sent while its outcome is
// unknown.
const tries = 6

// A request is a change that a client wants.
type request struct {
	action string // as of checker.Operation
	user   string
	task   int64
	title  string
	keyed  bool
	match  int64 // If-Match; 0 for none
}

// An answer is what became of it.
type answer struct {
	outcome  checker.Outcome
	status   int
	task     int64
	sequence int64
	replayed bool
	retry    string // Retry-After
}

// send sends a request, with a key again until there is an answer.
func (c *client) send(ctx context.Context, r request) answer {
	key, most := "", 1
	if r.keyed {
		key, most = fmt.Sprintf("key-%d", c.number64()), tries
	}
	for try := 1; ; try++ {
		a := c.once(ctx, r, key)
		if a.outcome != checker.Unknown || try == most || ctx.Err() != nil {
			return a
		}
		pause(ctx, time.Duration(100+c.random.IntN(400))*time.Millisecond)
	}
}

// once sends a request once, to any replica, and records the outcome.
func (c *client) once(ctx context.Context, r request, key string) answer {
	number := c.number64()
	trace := fmt.Sprintf("00-%032x-%016x-01", number, number)
	a := c.exchange(ctx, r, key, trace)
	c.record(checker.Operation{
		Action: r.action, Outcome: a.outcome, Trace: trace, Key: key, Title: r.title,
		TaskID: a.task, Sequence: a.sequence, Replayed: a.replayed,
	})
	return a
}

func (c *client) exchange(ctx context.Context, r request, key, trace string) answer {
	unknown := answer{outcome: checker.Unknown}
	message, err := r.message(ctx, c.api())
	if err != nil {
		return unknown
	}
	message.Header.Set("Traceparent", trace)
	if key != "" {
		message.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(message)
	if err != nil {
		return unknown
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return unknown
	case resp.StatusCode >= http.StatusInternalServerError:
		return answer{outcome: checker.Unknown, status: resp.StatusCode, retry: resp.Header.Get("Retry-After")}
	case resp.StatusCode >= http.StatusBadRequest:
		return answer{outcome: checker.Fail, status: resp.StatusCode}
	}
	return c.understand(r, resp, body)
}

// understand reads a 2xx.
func (c *client) understand(r request, resp *http.Response, body []byte) answer {
	var task struct {
		ID       int64
		Title    string
		Sequence int64
	}
	if err := json.Unmarshal(body, &task); err != nil {
		c.contradict("%s: %d with the body %q", r.action, resp.StatusCode, body)
	}
	if r.title != "" && task.Title != r.title {
		c.contradict("%s %q: answered with %q", r.action, r.title, task.Title)
	}
	if tag := strconv.Quote(strconv.FormatInt(task.Sequence, 10)); r.action != "delete" && resp.Header.Get("ETag") != tag {
		c.contradict("%s of task %d: ETag %s, sequence %s", r.action, task.ID, resp.Header.Get("ETag"), tag)
	}
	return answer{
		outcome: checker.OK, status: resp.StatusCode, task: task.ID, sequence: task.Sequence,
		replayed: resp.Header.Get("Idempotent-Replayed") != "",
	}
}

// message makes the HTTP request.
func (r request) message(ctx context.Context, api string) (*http.Request, error) {
	url := fmt.Sprintf("http://%s/api/%s/tasks", api, r.user)
	method, body := http.MethodPost, ""
	if r.title != "" {
		body = fmt.Sprintf(`{"title":%q}`, r.title)
	}
	if r.action != "create" {
		url += fmt.Sprintf("/%d", r.task)
	}
	switch r.action {
	case "update":
		method = http.MethodPut
	case "toggle":
		url += "/complete"
	case "delete":
		method = http.MethodDelete
	default:
	}
	message, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	message.Header.Set("Content-Type", "application/json")
	if r.match != 0 {
		message.Header.Set("If-Match", strconv.Quote(strconv.FormatInt(r.match, 10)))
	}
	return message, nil
}

// show reads one of the client's tasks; the status is 0 when there was no answer.
func (c *client) show(ctx context.Context, id int64) (status int, sequence int64) {
	resp, err := c.getTask(ctx, id)
	if err != nil {
		return 0, 0
	}
	defer resp.Body.Close()
	var task struct{ Sequence int64 }
	if err := json.NewDecoder(resp.Body).Decode(&task); err != nil {
		return 0, 0
	}
	return resp.StatusCode, task.Sequence
}

func (c *client) getTask(ctx context.Context, id int64) (*http.Response, error) {
	url := fmt.Sprintf("http://%s/api/%s/tasks/%d", c.api(), c.user, id)
	message, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	return c.http.Do(message)
}

// api is any replica. With a single one a client may send requests side by side.
func (c *client) api() string {
	if len(c.apis) == 1 {
		return c.apis[0]
	}
	return c.apis[c.random.IntN(len(c.apis))]
}
