package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/task"
)

// A client speaks to the task API as one user.
type client struct {
	base string // such as http://127.0.0.1:8001
	user string
	http *http.Client
}

func newClient(cfg *config.Config) (*client, error) {
	base, err := url.Parse(cfg.Get("api-url"))
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, usagef("api-url %q (from %s): must be such as http://127.0.0.1:8001", cfg.Get("api-url"), cfg.Source("api-url"))
	}
	return &client{
		base: strings.TrimRight(base.String(), "/"),
		user: cfg.Get("user"),
		http: &http.Client{Timeout: 30 * time.Second},
	}, nil
}

func (c *client) tasksPath() string { return "/api/" + url.PathEscape(c.user) + "/tasks" }

func (c *client) taskPath(id int64) string { return c.tasksPath() + "/" + strconv.FormatInt(id, 10) }

func (c *client) add(ctx context.Context, fields map[string]any) (t task.Task, err error) {
	return t, c.do(ctx, http.MethodPost, c.tasksPath(), fields, &t)
}

func (c *client) task(ctx context.Context, id int64) (t task.Task, err error) {
	return t, c.do(ctx, http.MethodGet, c.taskPath(id), nil, &t)
}

func (c *client) update(ctx context.Context, id int64, fields map[string]any) (t task.Task, err error) {
	return t, c.do(ctx, http.MethodPatch, c.taskPath(id), fields, &t)
}

func (c *client) remove(ctx context.Context, id int64) error {
	return c.do(ctx, http.MethodDelete, c.taskPath(id), nil, nil)
}

// A taskList is the enveloped answer of a list.
type taskList struct {
	Tasks []task.Task `json:"tasks"`
	Total int         `json:"total"`
	Next  *string     `json:"next,omitempty"`
}

// list follows the pages until limit tasks are there; 0 is all.
func (c *client) list(ctx context.Context, query url.Values, limit int) (taskList, error) {
	query.Set("envelope", "true")
	var all taskList
	for {
		if limit > 0 {
			query.Set("limit", strconv.Itoa(min(limit-len(all.Tasks), task.MaxPage)))
		}
		var page taskList
		if err := c.do(ctx, http.MethodGet, c.tasksPath()+"?"+query.Encode(), nil, &page); err != nil {
			return taskList{}, err
		}
		all.Tasks = append(all.Tasks, page.Tasks...)
		all.Total = page.Total
		if page.Next == nil || len(all.Tasks) == limit {
			return all, nil
		}
		query.Set("cursor", *page.Next)
	}
}

func (c *client) do(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusBadRequest {
		return refusal(resp)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("the answer of %s is no answer of the task API: %w", c.base, err)
	}
	return nil
}

func (c *client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var cause *url.Error
	if errors.As(err, &cause) {
		err = cause.Err
	}
	return fmt.Errorf("no task API answers at %s: %w; start one with 'todoctl dev', or name another with --api-url", c.base, err)
}

// refusal is what the API says is wrong.
func refusal(resp *http.Response) error {
	var answer struct {
		Detail string `json:"detail"`
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err == nil && json.Unmarshal(body, &answer) == nil && answer.Detail != "" {
		return apiError{resp.StatusCode, answer.Detail}
	}
	return apiError{resp.StatusCode, fmt.Sprintf("%s %s answers %s", resp.Request.Method, resp.Request.URL.Redacted(), resp.Status)}
}

// An apiError is a refusal of the API.
type apiError struct {
	status int // of HTTP
	text   string
}

func (e apiError) Error() string { return e.text }
