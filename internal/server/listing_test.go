package server

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

func TestListQuery(t *testing.T) {
	march := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		query string
		want  task.Query
	}{
		{"", task.Query{}},
		{"status=&priority=&tags=&search=&due_before=&sort=&limit=&cursor=", task.Query{}},
		{"status=all", task.Query{Status: "all"}},
		{"status=pending", task.Query{Status: "pending"}},
		{"status_param=completed", task.Query{Status: "completed"}},
		{"status=pending&status_param=pending", task.Query{Status: "pending"}},
		{"priority=urgent", task.Query{Priority: task.Urgent}},
		{"tags=home,work%20place,,home&tags=x", task.Query{Tags: []string{"home", "work place", "x"}}},
		{"search=Milk+%26+bread", task.Query{Search: "Milk & bread"}},
		{"due_before=2026-03-01", task.Query{DueBefore: &march}},
		{"due_after=2026-03-01T00:00:00Z", task.Query{DueAfter: &march}},
		{"due_after=2026-03-01T02:00:00%2B02:00", task.Query{DueAfter: &march}},
		{"due_after=2026-03-01T02:00:00+02:00", task.Query{DueAfter: &march}},
		{"overdue=true", task.Query{Overdue: true}},
		{"overdue=0", task.Query{}},
		{"sort=title", task.Query{Sort: "title"}},
		{"sort=title:asc", task.Query{Sort: "title"}},
		{"sort=due_date:desc", task.Query{Sort: "due_date", Desc: true}},
		{"limit=1", task.Query{Limit: 1}},
		{"limit=1000", task.Query{Limit: 1000}},
		{"cursor=abc", task.Query{Cursor: "abc"}},
	} {
		a := newAPI()
		a.do(t, "GET", "/api/u1/tasks?"+c.query, "").want(t, 200, "[]")
		c.want.Now = noon
		if diff := cmp.Diff(c.want, a.store.query); diff != "" {
			t.Errorf("?%s (-want +got):\n%s", c.query, diff)
		}
	}
}

func TestBadListQueries(t *testing.T) {
	twentyOne := strings.Join(strings.Split("abcdefghijklmnopqrstu", ""), ",")
	for _, c := range []struct{ query, detail string }{
		{"statsu=all", `query: unknown parameter "statsu", did you mean status?`},
		{"Tag=x", `query: unknown parameter "Tag", did you mean tags?`},
		{"dueBefore=x", `query: unknown parameter "dueBefore", did you mean due_before?`},
		{"a=1&b=2", `query: unknown parameter "a", did you mean tags?; query: unknown parameter "b", did you mean `},
		{"=x", `query: unknown parameter "", did you mean `},
		{"a%0Ab=1", `query: unknown parameter "a\nb", did you mean `},
		{"status=done", `status: must be one of all, pending, completed, not "done"`},
		{"status=all&status=pending", "status: must be given once, not 2 times"},
		{"status=all&status_param=pending", "status_param: is another name of status and must not differ from it"},
		{"priority=High", `priority: must be one of low, medium, high, urgent, not "High"`},
		{"tags=" + twentyOne, "tags: must be at most 20: no task has more"},
		{"tags=" + strings.Repeat("t", 51), "tags: must have at most 50 characters, has 51"},
		{"search=" + strings.Repeat("s", 201), "search: must have at most 200 characters, has 201"},
		{"search=%00", "search: must be valid UTF-8 without the NUL character"},
		{"search=%FF", "search: must be valid UTF-8 without the NUL character"},
		{"tags=%00", "tags: must be valid UTF-8"},
		{"cursor=%FF", "cursor: must be valid UTF-8"},
		{"due_before=soon", `due_before: must be a time in RFC 3339 such as 2026-02-17T12:00:00Z, or a date, not "soon"`},
		{"due_after=9999-12-31T23:59:59-01:00", "due_after: must be a time"},
		{"overdue=maybe", `overdue: must be true or false, not "maybe"`},
		{"overdue", `overdue: must be true or false, not ""`},
		{"overdue=true&overdue=true", "overdue: must be given once, not 2 times"},
		{"envelope=yes", `envelope: must be true or false, not "yes"`},
		{"sort=colour", "sort: must be one of created_at, updated_at, due_date, priority, title, id, alone or followed by :asc or :desc, not \"colour\""},
		{"sort=title:up", "sort: must be one of created_at"},
		{"sort=title:", "sort: must be one of created_at"},
		{"limit=0", `limit: must be a whole number from 1 to 1000, not "0"`},
		{"limit=1001", "limit: must be a whole number from 1 to 1000"},
		{"limit=-1", "limit: must be a whole number from 1 to 1000"},
		{"limit=99999999999999999999", "limit: must be a whole number from 1 to 1000"},
		{"limit=x&status=x", `status: must be one of all, pending, completed, not "x"; limit: must be`},
		{"status=%zz", "query: is malformed: "},
		{"a;b", "query: is malformed: "},
		{"status=" + strings.Repeat("x", 5000), `status: must be one of all, pending, completed, not "xxx`},
	} {
		got := newAPI().do(t, "GET", "/api/u1/tasks?"+c.query, "").want(t, 400, "")
		if !strings.HasPrefix(got.detail(t), c.detail) || len(got.detail(t)) > 500 {
			t.Errorf("?%s: detail %q, want %q", c.query, got.detail(t), c.detail)
		}
	}
}

// A client that follows the Link headers, or the cursors of the envelope, sees
// each task once.
func TestPages(t *testing.T) {
	a := newAPI()
	for range 5 {
		a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`).want(t, 201, "")
	}
	var ids []int64
	next := "/api/u1/tasks?limit=2&status=all"
	for next != "" {
		got := a.do(t, "GET", next, "").want(t, 200, "").wantHeaders(t, "X-Total-Count: 5")
		var page []task.Task
		got.decode(t, &page)
		for _, each := range page {
			ids = append(ids, each.ID)
		}
		link, _ := strings.CutSuffix(strings.TrimPrefix(got.Header.Get("Link"), "<"), `>; rel="next"`)
		if u, err := url.Parse(link); err != nil || link != "" && (u.Query().Get("status") != "all" || u.Query().Get("limit") != "2") {
			t.Fatalf("Link %q: %v", link, err)
		}
		next = link
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}

func TestEnvelope(t *testing.T) {
	a := newAPI()
	a.do(t, "GET", "/api/u1/tasks?envelope=true", "").want(t, 200, `{"tasks":[],"total":0,"next":null}`)
	a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`).want(t, 201, "")
	a.do(t, "POST", "/api/u1/tasks", `{"title":"b"}`).want(t, 201, "")
	a.do(t, "GET", "/api/u1/tasks?envelope=true&limit=1", "").want(t, 200, `"total":2,"next":"1"}`)
	a.do(t, "GET", "/api/u1/tasks?envelope=true&limit=1&cursor=1", "").want(t, 200, `"total":2,"next":null}`).wantHeaders(t, "Link: ")
	a.do(t, "GET", "/api/u1/tasks?envelope=false", "").want(t, 200, `[{"id":1,`)
}

func TestNearest(t *testing.T) {
	words := []string{"status", "sort", "tags", "limit"}
	for word, want := range map[string]string{"statsu": "status", "order": "sort", "limt": "limit", "tag": "tags", "sort": "sort", strings.Repeat("é", 1000): "status"} {
		if got := nearest(word, words); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}
