package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/task"
)

func TestCreate(t *testing.T) {
	got := newAPI().do(t, "POST", "/api/u1/tasks", `{"title":" <b>Milk</b> & bread ","tags":["a","a"],"due_date":"2026-03-01"}`)
	got.want(t, 201, `"title":"<b>Milk</b> & bread"`)
	got.wantHeaders(t, "Location: /api/u1/tasks/1", `ETag: "1"`, "Content-Type: application/json", "Idempotent-Replayed: ")
	due := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	want := task.Task{
		ID: 1, UserID: "u1", Title: "<b>Milk</b> & bread", Priority: task.Medium, Tags: []string{"a"},
		Timezone: "UTC", Channels: []string{}, Recurrence: "none", DueDate: &due, CreatedAt: noon, UpdatedAt: noon, Sequence: 1,
	}
	if diff := cmp.Diff(want, got.task(t)); diff != "" {
		t.Errorf("task (-want +got):\n%s", diff)
	}
}

// The same way through a task's life on both families of paths, and for the
// users whose names look like a path of the other one.
func TestLifeOfATask(t *testing.T) {
	for _, family := range []struct{ tasks, header string }{
		{"/api/u1/tasks", "X-Other: "},
		{"/api/tasks", "X-User-ID: u1"},
		{"/api/tasks/tasks", "X-Other: "},
		{"/api/a%2Fb%20%C3%A9/tasks", "X-Other: "},
		{"/api/complete/tasks", "X-Other: "},
	} {
		t.Run(family.tasks, func(t *testing.T) {
			a, one := newAPI(), family.tasks+"/1"
			do := func(method, path, body string) reply {
				t.Helper()
				return a.do(t, method, path, body, family.header)
			}
			do("POST", family.tasks, `{"title":"one"}`).want(t, 201, "one").wantHeaders(t, "Location: "+one)
			do("GET", one, "").want(t, 200, "one").wantHeaders(t, `ETag: "1"`)
			do("HEAD", one, "").want(t, 200, "").wantHeaders(t, `ETag: "1"`)
			do("PUT", one, `{"title":"two"}`).want(t, 200, "two").wantHeaders(t, `ETag: "2"`)
			do("PATCH", one, `{"priority":"high"}`).want(t, 200, `"title":"two"`).wantHeaders(t, `ETag: "3"`)
			do("PATCH", one+"/complete", "").want(t, 200, `"completed":true`).wantHeaders(t, `ETag: "4"`)
			do("POST", one+"/complete", "").want(t, 200, `"completed":false`).wantHeaders(t, `ETag: "5"`)
			do("GET", family.tasks, "").want(t, 200, `[{"id":1,`)
			do("DELETE", one, "").want(t, 200, `{"message":"task 1 deleted","id":1}`)
			do("GET", one, "").want(t, 404, `{"detail":"task not found"}`)
			do("GET", family.tasks, "").want(t, 200, "[]")
		})
	}
}

func TestTrailingSlash(t *testing.T) {
	a := newAPI()
	a.do(t, "POST", "/api/u1/tasks/", `{"title":"one"}`).want(t, 201, "").wantHeaders(t, "Location: /api/u1/tasks/1")
	a.do(t, "GET", "/api/u1/tasks/1/", "").want(t, 200, "one")
	a.do(t, "GET", "/api/a%2Fb/tasks/", "").want(t, 200, "[]")
	a.do(t, "GET", "/docs/", "").want(t, 200, "")
	a.do(t, "GET", "/api/u1/tasks/1%2F", "").want(t, 400, "id: must be a whole number")
	a.do(t, "GET", "/api/u1/tasks//", "").want(t, 404, "there is nothing at")
}

func TestUserOfTheRequest(t *testing.T) {
	a := newAPI()
	got := a.do(t, "GET", "/api/tasks", "").want(t, 401, "")
	for _, way := range []string{"/api/{user_id}/tasks", "X-User-ID"} {
		if !strings.Contains(got.detail(t), way) {
			t.Errorf("detail %q doesn't name %s", got.detail(t), way)
		}
	}
	a.do(t, "GET", "/api/"+strings.Repeat("é", 128)+"/tasks", "").want(t, 200, "")
	a.do(t, "GET", "/api/"+strings.Repeat("u", 129)+"/tasks", "").want(t, 400, "user_id: must have 1 to 128 characters, has 129")
	a.do(t, "GET", "/api/a%00b/tasks", "").want(t, 400, "user_id: must be valid UTF-8 without control characters")
	a.do(t, "GET", "/api/%FF/tasks", "").want(t, 400, "user_id: ")
	a.do(t, "GET", "/api/tasks", "", "X-User-ID: "+strings.Repeat("u", 129)).want(t, 400, "X-User-ID: ")
	a.do(t, "GET", "/api/tasks", "", "X-User-ID: \xff").want(t, 400, "X-User-ID: ")
}

func TestAnotherUsersTask(t *testing.T) {
	a := newAPI()
	a.do(t, "POST", "/api/u1/tasks", `{"title":"one"}`).want(t, 201, "")
	for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
		a.do(t, method, "/api/u2/tasks/1", `{"title":"x"}`).want(t, 404, "task not found")
	}
	a.do(t, "POST", "/api/u2/tasks/1/complete", "").want(t, 404, "task not found")
	a.do(t, "GET", "/api/u2/tasks", "").want(t, 200, "[]")
}

func TestTaskIDs(t *testing.T) {
	for _, id := range []string{"0", "-1", "+1", "1.5", "abc", "0x1", "%31%30x", "9223372036854775808", "99999999999999999999", "complete", "%20", "1%0A"} {
		for _, method := range []string{"GET", "PUT", "PATCH", "DELETE"} {
			newAPI().do(t, method, "/api/u1/tasks/"+id, "{}").want(t, 400, `{"detail":"id: must be a whole number from 1 to 9223372036854775807, not \"`)
		}
	}
	newAPI().do(t, "GET", "/api/u1/tasks/9223372036854775807", "").want(t, 404, "")
}

func TestBadBodies(t *testing.T) {
	for _, c := range []struct {
		name, body, detail string
	}{
		{"empty", "", "body: is empty, must be a JSON object"},
		{"no JSON", "title=x", "body: malformed JSON at byte "},
		{"a list", "[]", "body: must be a JSON object"},
		{"null", "null", "body: must be a JSON object"},
		{"two objects", `{"title":"a"}{}`, "body: malformed JSON"},
		{"not UTF-8", "{\"title\":\"\xff\"}", "body: must be valid UTF-8"},
		{"no title", `{}`, "title: must have 1 to 200 characters, has 0"},
		{"long title", `{"title":"` + strings.Repeat("é", 201) + `"}`, "title: must have 1 to 200 characters, has 201"},
		{"long description", `{"title":"a","description":"` + strings.Repeat("é", 2001) + `"}`, "description: must have 0 to 2000 characters, has 2001"},
		{"wrong types", `{"title":1,"tags":"a"}`, "title: must be a string, not a number; tags: must be a list of strings, not a string"},
		{"priority", `{"title":"a","priority":"huge"}`, `priority: must be low, medium, high or urgent, not "huge"`},
		{"time", `{"title":"a","due_date":"soon"}`, "due_date: must be a time in RFC 3339"},
		{"NUL", `{"title":"a\u0000"}`, "title: must not contain the NUL character"},
		{"deep", `{"title":` + strings.Repeat("[", 20000) + `}`, "body: malformed JSON"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := newAPI().do(t, "POST", "/api/u1/tasks", c.body).want(t, 400, "")
			if !strings.HasPrefix(got.detail(t), c.detail) {
				t.Errorf("detail %q, want %q", got.detail(t), c.detail)
			}
		})
	}
}

func TestProblemsFieldByField(t *testing.T) {
	got := newAPI().do(t, "POST", "/api/u1/tasks", `{"title":1,"completed":"yes"}`).want(t, 400, "")
	var body failure
	got.decode(t, &body)
	want := []task.Problem{{Field: "title", Message: "must be a string, not a number"}, {Field: "completed", Message: "must be true or false, not a string"}}
	if diff := cmp.Diff(want, body.Errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// curl -d without a header and form posts are JSON all the same.
func TestContentTypeIsNotLookedAt(t *testing.T) {
	for _, kind := range []string{"application/json", "application/x-www-form-urlencoded", "text/plain", ""} {
		newAPI().do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "Content-Type: "+kind).want(t, 201, "")
	}
}

func TestLargeBodies(t *testing.T) {
	fill := func(size int) string {
		const frame = `{"title":"a","other":""}`
		return strings.Replace(frame, `""`, `"`+strings.Repeat("x", size-len(frame))+`"`, 1)
	}
	for _, target := range []struct{ method, path string }{{"POST", "/api/u1/tasks"}, {"PATCH", "/api/u1/tasks/1"}, {"DELETE", "/api/u1/tasks/1"}, {"POST", "/api/u1/tasks/1/complete"}} {
		a := newAPI()
		a.do(t, "POST", "/api/u1/tasks", fill(64<<10)).want(t, 201, "")
		a.do(t, target.method, target.path, fill(64<<10+1)).want(t, 413, "at most 65536 bytes")
	}
	a := newAPI()
	r := newRequest(t, "POST", "/api/u1/tasks", fill(64<<10+1))
	r.ContentLength = -1 // chunked
	a.serve(t, r).want(t, 413, "at most 65536 bytes")
}

func TestBrokenBody(t *testing.T) {
	r := newRequest(t, "POST", "/api/u1/tasks", "")
	r.Body, r.ContentLength = brokenReader{}, -1
	newAPI().serve(t, r).want(t, 400, "body: could not be read to its end")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }
func (brokenReader) Close() error             { return nil }

// Every error of the store on every kind of request.
func TestStoreErrors(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
		detail string
	}{
		{task.ErrNotFound, 404, "task not found"},
		{task.Invalid("cursor", "is not one of this list"), 400, "cursor: is not one of this list"},
		{task.ErrUnavailable, 503, "the store can't take the change now, try again in a moment"},
		{errors.New("dial tcp 10.0.0.7: secret"), 500, "internal error; the log of the API has the cause"},
	} {
		for _, target := range []string{"GET /api/u1/tasks", "POST /api/u1/tasks", "GET /api/u1/tasks/1", "PUT /api/u1/tasks/1", "PATCH /api/u1/tasks/1", "DELETE /api/u1/tasks/1", "PATCH /api/u1/tasks/1/complete", "POST /api/u1/tasks/1/complete"} {
			if c.status == 404 && strings.HasSuffix(target, "/tasks") {
				continue
			}
			a := newAPI()
			a.store.fail = fmt.Errorf("begin: dial tcp: secret: %w", c.err)
			method, path, _ := strings.Cut(target, " ")
			got := a.do(t, method, path, `{"title":"a"}`).want(t, c.status, "")
			if got.detail(t) != c.detail {
				t.Errorf("%s: detail %q, want %q", target, got.detail(t), c.detail)
			}
			if retry := got.Header.Get("Retry-After"); (retry == "1") != (c.status == 503) {
				t.Errorf("%s: %d with Retry-After %q", target, c.status, retry)
			}
		}
	}
}

func TestStaleAndReusedAreAnswered(t *testing.T) {
	for err, status := range map[error]int{task.ErrStale: 412, task.ErrKeyReused: 422} {
		a := newAPI()
		a.store.fail = fmt.Errorf("change: %w", err)
		a.do(t, "PATCH", "/api/u1/tasks/1", "{}").want(t, status, err.Error())
	}
}

func TestIfMatch(t *testing.T) {
	for _, c := range []struct {
		header string
		status int
	}{
		{`"2"`, 200}, {`*`, 200}, {`"1", "2"`, 200}, {` , "7" ,"2",`, 200}, {`"a,b", "2"`, 200},
		{`"1"`, 412}, {`W/"2"`, 412}, {`"1", W/"2"`, 412}, {`"02"`, 412}, {`"+2"`, 412}, {`"x"`, 412}, {`""`, 412},
		{`2`, 400}, {`"2`, 400}, {``, 400}, {`,`, 400}, {`"2" "3"`, 400}, {`*, "2"`, 400}, {`w/"2"`, 400},
	} {
		for _, target := range []string{"PUT /api/u1/tasks/1", "PATCH /api/u1/tasks/1", "PATCH /api/u1/tasks/1/complete", "POST /api/u1/tasks/1/complete", "DELETE /api/u1/tasks/1"} {
			a := newAPI()
			a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`).want(t, 201, "")
			a.do(t, "PATCH", "/api/u1/tasks/1", `{"title":"b"}`).want(t, 200, "")
			method, path, _ := strings.Cut(target, " ")
			got := a.do(t, method, path, `{"title":"c"}`, "If-Match: "+c.header)
			if got.StatusCode != c.status {
				t.Errorf("%s with If-Match %s: %d %s, want %d", target, c.header, got.StatusCode, got.body, c.status)
			}
		}
	}
	a := newAPI()
	a.do(t, "PATCH", "/api/u1/tasks/1", `{}`, `If-Match: "1"`).want(t, 404, "")
	a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, `If-Match: "9"`).want(t, 201, "")
	a.do(t, "PATCH", "/api/u1/tasks/1", `{}`, `If-Match: "8"`, `If-Match: "1"`).want(t, 200, "")
}

func TestIfNoneMatch(t *testing.T) {
	a := newAPI()
	a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`).want(t, 201, "")
	for header, status := range map[string]int{
		`"1"`: 304, `W/"1"`: 304, `*`: 304, `"7", "1"`: 304, `"2"`: 200, `"x"`: 200, `1`: 200, ``: 200,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got := a.do(t, method, "/api/u1/tasks/1", "", "If-None-Match: "+header)
			if got.StatusCode != status {
				t.Errorf("%s with If-None-Match %s: %d, want %d", method, header, got.StatusCode, status)
			}
			got.wantHeaders(t, `ETag: "1"`)
			if status == 304 && got.body != "" {
				t.Errorf("304 with the body %q", got.body)
			}
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	a := newAPI()
	for _, c := range []struct{ method, path, body, other string }{
		{"POST", "/api/u1/tasks", `{"title":"a"}`, `{"title":"b"}`},
		{"PATCH", "/api/u1/tasks/1", `{"title":"c"}`, `{"title":"d"}`},
		{"PUT", "/api/u1/tasks/1", `{"title":"e"}`, `{"title":"f"}`},
		{"POST", "/api/u1/tasks/1/complete", ``, `{}`},
		{"DELETE", "/api/u1/tasks/1", ``, `{}`},
	} {
		key := "Idempotency-Key: key-of-" + c.method + c.path
		first := a.do(t, c.method, c.path, c.body, key).wantHeaders(t, "Idempotent-Replayed: ")
		again := a.do(t, c.method, c.path, c.body, key).wantHeaders(t, "Idempotent-Replayed: true")
		again.want(t, first.StatusCode, first.body)
		again.Header.Del("Idempotent-Replayed")
		if diff := cmp.Diff(first.Header, again.Header); diff != "" || first.StatusCode > 299 {
			t.Errorf("%s %s: %d, replay (-first +again):\n%s", c.method, c.path, first.StatusCode, diff)
		}
		a.do(t, c.method, c.path, c.other, key).want(t, 422, "Idempotency-Key was used before")
	}
}

func TestFingerprints(t *testing.T) {
	seen := map[string]string{}
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/api/u1/tasks", `{"title":"a"}`}, {"POST", "/api/u1/tasks", `{"title":"b"}`}, {"POST", "/api/u2/tasks", `{"title":"a"}`},
		{"PUT", "/api/u1/tasks/1", `{"title":"a"}`}, {"PATCH", "/api/u1/tasks/1", `{"title":"a"}`}, {"PATCH", "/api/u1/tasks/1/complete", ""},
	} {
		a := newAPI()
		a.do(t, c.method, c.path, c.body, "Idempotency-Key: k")
		got, request := a.store.change.Fingerprint, fmt.Sprint(c)
		if seen[got] != "" || len(got) != 64 || strings.Trim(got, "0123456789abcdef") != "" {
			t.Errorf("%s has the fingerprint %q, also of %q", request, got, seen[got])
		}
		seen[got] = request
	}
	a := newAPI()
	a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`)
	if a.store.change.Fingerprint != "" {
		t.Error("a fingerprint without a key")
	}
}

func TestIdempotencyKeyForm(t *testing.T) {
	for key, status := range map[string]int{
		"k": 201, strings.Repeat("k", 255): 201, `"quoted"`: 201, "!~": 201,
		"": 400, "a b": 400, "a\tb": 400, "é": 400, "a\x7f": 400, strings.Repeat("k", 256): 400,
	} {
		newAPI().do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "Idempotency-Key: "+key).want(t, status, "")
	}
	newAPI().do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "Idempotency-Key: a", "Idempotency-Key: b").want(t, 400, "Idempotency-Key: must be given once")
}

func TestTraceparent(t *testing.T) {
	const valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for header, want := range map[string]string{
		valid: valid,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00":    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
		"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":    "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01":    "",
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":    "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":    "",
		"00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01":    "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01":    "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-xx": "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0":     "",
		"": "",
	} {
		a := newAPI()
		a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "traceparent: "+header).want(t, 201, "")
		if got := a.store.change.Traceparent; got != want {
			t.Errorf("traceparent %q was taken as %q, want %q", header, got, want)
		}
	}
	a := newAPI()
	a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "traceparent: "+valid, "traceparent: "+valid).want(t, 201, "")
	if a.store.change.Traceparent != "" {
		t.Error("two traceparent headers were taken for one")
	}
}

// What the API hands to the store, whole.
func TestChangeAsHandedOver(t *testing.T) {
	a, title := newAPI(), "x"
	a.do(t, "PUT", "/api/u1/tasks/7", `{"title":"x","id":3,"user_id":"other"}`, `If-Match: "4", W/"5"`).want(t, 404, "")
	want := task.Change{Action: task.Update, UserID: "u1", TaskID: 7, Patch: task.Patch{Title: &title}, IfMatch: []int64{4, 0}}
	if diff := cmp.Diff(want, a.store.change); diff != "" {
		t.Errorf("change (-want +got):\n%s", diff)
	}
}

func TestPathsAndMethods(t *testing.T) {
	for _, target := range []string{"/api", "/api/u1", "/api/u1/task", "/api/u1/tasks/1/done", "/api/u1/tasks/1/complete/x", "/api//tasks", "/api/u1/../tasks/1", "/api/./tasks", "/nothing", "/api/tasks/1/2", "/tasks"} {
		newAPI().do(t, "GET", target, "").want(t, 404, `there is nothing at \"/`)
	}
	for _, c := range []struct{ method, path, allow string }{
		{"PUT", "/api/u1/tasks", "GET, HEAD, OPTIONS, POST"},
		{"DELETE", "/api/tasks", "GET, HEAD, OPTIONS, POST"},
		{"POST", "/api/u1/tasks/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"},
		{"POST", "/api/tasks/1", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"},
		{"GET", "/api/u1/tasks/1/complete", "OPTIONS, PATCH, POST"},
		{"DELETE", "/api/tasks/1/complete", "OPTIONS, PATCH, POST"},
		{"BREW", "/livez", "GET, HEAD, OPTIONS"},
		{"POST", "/", "GET, HEAD, OPTIONS"},
	} {
		newAPI().do(t, c.method, c.path, "").want(t, 405, "isn't possible here, only "+c.allow).wantHeaders(t, "Allow: "+c.allow)
		newAPI().do(t, "OPTIONS", c.path, "").want(t, 204, "").wantHeaders(t, "Allow: "+c.allow)
	}
}

func TestIndex(t *testing.T) {
	newAPI().do(t, "GET", "/", "").want(t, 200, `"version":"1.2.3","docs":"/docs","openapi":"/openapi.json"`)
}

func TestCommonHeaders(t *testing.T) {
	for _, path := range []string{"/", "/livez", "/api/u1/tasks", "/nothing"} {
		newAPI().do(t, http.MethodGet, path, "").wantHeaders(t, "X-Content-Type-Options: nosniff", "Cache-Control: private, no-cache", "Vary: Origin, X-User-ID")
	}
}

func TestUnencodableTask(t *testing.T) {
	a := newAPI()
	a.store.tasks[1] = task.Task{ID: 1, UserID: "u1", CreatedAt: noon.AddDate(9000, 0, 0)}
	a.do(t, "GET", "/api/u1/tasks/1", "").want(t, 500, "internal error")
	if !json.Valid([]byte(a.do(t, "GET", "/api/u1/tasks", "").want(t, 500, "").body)) {
		t.Error("the answer is no JSON")
	}
}
