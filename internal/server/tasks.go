package server

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/todoctl/todoctl/internal/task"
)

func (s *server) create(w *response, r *http.Request) error {
	return s.change(w, r, task.Create)
}

// update serves PUT as well as PATCH: the clients that PUT send the fields that
// they want changed, not whole tasks.
func (s *server) update(w *response, r *http.Request) error {
	return s.change(w, r, task.Update)
}

func (s *server) toggle(w *response, r *http.Request) error {
	return s.change(w, r, task.Toggle)
}

func (s *server) remove(w *response, r *http.Request) error {
	return s.change(w, r, task.Delete)
}

// change carries one write through, from the request to the answer.
func (s *server) change(w *response, r *http.Request, action task.Action) error {
	c, err := s.readChange(w, r, action)
	if err != nil {
		return err
	}
	result, err := s.store.Change(r.Context(), c)
	if err != nil {
		return err
	}
	if result.Replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	switch action {
	case task.Create:
		w.Header().Set("Location", r.URL.EscapedPath()+"/"+strconv.FormatInt(result.Task.ID, 10))
		return s.writeTask(w, http.StatusCreated, &result.Task)
	case task.Delete:
		return s.writeJSON(w, http.StatusOK, deleted{
			Message: fmt.Sprintf("task %d deleted", result.Task.ID), ID: result.Task.ID,
		})
	default:
		return s.writeTask(w, http.StatusOK, &result.Task)
	}
}

// deleted is the answer to a DELETE.
type deleted struct {
	Message string `json:"message"`
	ID      int64  `json:"id"`
}

func (s *server) readChange(w *response, r *http.Request, action task.Action) (c task.Change, err error) {
	c = task.Change{Action: action, Traceparent: traceparent(r)}
	if c.UserID, err = userOf(w, r); err != nil {
		return c, err
	}
	if action != task.Create {
		if c.TaskID, err = idOf(r); err != nil {
			return c, err
		}
		if c.IfMatch, err = ifMatch(r.Header); err != nil {
			return c, err
		}
	}
	body := s.buffer()
	defer s.release(body)
	if err := readBody(w, r, body); err != nil {
		return c, err
	}
	if c.IdempotencyKey, c.Fingerprint, err = idempotency(r, body.Bytes()); err != nil {
		return c, err
	}
	if action == task.Create || action == task.Update {
		c.Patch, err = task.ParsePatch(body.Bytes())
	}
	return c, err
}

func (s *server) show(w *response, r *http.Request) error {
	user, err := userOf(w, r)
	if err != nil {
		return err
	}
	id, err := idOf(r)
	if err != nil {
		return err
	}
	t, err := s.store.Task(r.Context(), user, id)
	if err != nil {
		return err
	}
	if noneMatch(r.Header, t.Sequence) {
		w.Header().Set("Etag", etag(t.Sequence))
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return s.writeTask(w, http.StatusOK, &t)
}

func (s *server) writeTask(w *response, status int, t *task.Task) error {
	w.Header().Set("Etag", etag(t.Sequence))
	return s.writeJSON(w, status, t)
}

// envelope is the answer to a list with ?envelope=true.
type envelope struct {
	Tasks []task.Task `json:"tasks"`
	Total int         `json:"total"`
	Next  *string     `json:"next"` // null on the last page
}

func (s *server) list(w *response, r *http.Request) error {
	user, err := userOf(w, r)
	if err != nil {
		return err
	}
	l, err := parseListing(r.URL.RawQuery)
	if err != nil {
		return err
	}
	l.query.Now = s.now()
	page, err := s.store.Tasks(r.Context(), user, l.query)
	if err != nil {
		return err
	}
	if page.Tasks == nil {
		page.Tasks = []task.Task{} // a list in JSON, never null
	}
	answer := envelope{Tasks: page.Tasks, Total: page.Total}
	w.Header().Set("X-Total-Count", strconv.Itoa(page.Total))
	if page.Next != "" {
		answer.Next = &page.Next
		w.Header().Set("Link", fmt.Sprintf(`<%s?%s>; rel="next"`, r.URL.EscapedPath(), l.nextPage(page.Next)))
	}
	if l.envelope {
		return s.writeJSON(w, http.StatusOK, answer)
	}
	return s.writeJSON(w, http.StatusOK, answer.Tasks)
}
