package server

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCORS(t *testing.T) {
	for _, c := range []struct {
		name    string
		allowed []string // Options.AllowedOrigins
		origin  string
		ok      bool
	}{
		{"frontend", nil, "http://localhost:3001", true},
		{"frontend by address", nil, "http://127.0.0.1:3001", true},
		{"another port", nil, "http://localhost:3002", false},
		{"another scheme", nil, "https://localhost:3001", false},
		{"longer name", nil, "http://localhost:3001.example.com", false},
		{"null", nil, "null", false},
		{"configured", []string{"https://todo.example.com"}, "https://todo.example.com", true},
		{"default replaced", []string{"https://todo.example.com"}, "http://localhost:3001", false},
		{"none", []string{}, "http://localhost:3001", false},
		{"not an origin", []string{"*"}, "http://localhost:3001", false},
		{"with a path", []string{"http://localhost:3001/"}, "http://localhost:3001", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI(func(o *Options) { o.AllowedOrigins = c.allowed })
			allowOrigin := map[bool]string{true: c.origin}[c.ok]
			pick := func(ifAllowed, otherwise int) int {
				if c.ok {
					return ifAllowed
				}
				return otherwise
			}
			a.do(t, "OPTIONS", "/api/u1/tasks", "", "Origin: "+c.origin, "Access-Control-Request-Method: POST").
				want(t, pick(204, 403), "").wantHeaders(t, "Access-Control-Allow-Origin: "+allowOrigin)
			a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "Origin: "+c.origin, "Sec-Fetch-Site: cross-site").
				want(t, pick(201, 403), "").wantHeaders(t, "Access-Control-Allow-Origin: "+allowOrigin)
			a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "Origin: "+c.origin).want(t, pick(201, 403), "")
			// The browser keeps this answer from a page that the header doesn't name.
			a.do(t, "GET", "/api/u1/tasks", "", "Origin: "+c.origin).
				want(t, 200, "").wantHeaders(t, "Access-Control-Allow-Origin: "+allowOrigin)
		})
	}
}

func TestPreflightHeaders(t *testing.T) {
	got := newAPI().do(t, "OPTIONS", "/api/u1/tasks/1", "", "Origin: http://localhost:3001", "Access-Control-Request-Method: PATCH", "Access-Control-Request-Headers: if-match")
	got.want(t, 204, "").wantHeaders(t,
		"Access-Control-Allow-Methods: GET, HEAD, POST, PUT, PATCH, DELETE",
		"Access-Control-Allow-Headers: Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Traceparent, X-User-ID",
		"Access-Control-Allow-Credentials: true",
		"Access-Control-Max-Age: 600",
	)
	// Without them a page couldn't read the answers' headers, the errors' included.
	newAPI().do(t, "GET", "/api/u1/tasks/1", "", "Origin: http://localhost:3001").want(t, 404, "").
		wantHeaders(t, "Access-Control-Expose-Headers: ETag, Idempotent-Replayed, Link, Location, Retry-After, X-Total-Count")
}

func TestForeignPagesCannotWrite(t *testing.T) {
	for _, c := range []struct {
		name   string
		header []string // of the browser; the Host is example.com
		ok     bool
	}{
		{"no browser", nil, true},
		{"typed in", []string{"Sec-Fetch-Site: none"}, true},
		{"own page", []string{"Sec-Fetch-Site: same-origin", "Origin: https://example.com"}, true},
		{"foreign page", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, false},
		{"foreign form", []string{"Sec-Fetch-Site: cross-site", "Origin: null", "Content-Type: text/plain"}, false},
		{"sister domain", []string{"Sec-Fetch-Site: same-site", "Origin: https://a.example.com"}, false},
		{"no origin", []string{"Sec-Fetch-Site: cross-site"}, false},
		{"old browser", []string{"Origin: http://evil.example"}, false},
		{"name rebound to this address", []string{"Origin: http://example.com"}, false},
		{"frontend", []string{"Sec-Fetch-Site: cross-site", "Origin: http://localhost:3001"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI()
			a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`).want(t, 201, "")
			for _, target := range []string{"POST /api/u1/tasks", "PUT /api/u1/tasks/1", "PATCH /api/u1/tasks/1", "POST /api/u1/tasks/1/complete", "DELETE /api/u1/tasks/1"} {
				method, path, _ := strings.Cut(target, " ")
				got := a.do(t, method, path, `{"title":"b"}`, c.header...)
				if (got.StatusCode < 300) != c.ok || !c.ok && got.StatusCode != 403 {
					t.Errorf("%s: %d %s", target, got.StatusCode, got.body)
				}
			}
			if _, written := a.store.tasks[2]; written != c.ok {
				t.Errorf("written: %v", written)
			}
		})
	}
}

// Pages of an address, or of localhost, are what they say.
func TestOwnPagesOfOldBrowsers(t *testing.T) {
	for _, host := range []string{"127.0.0.1:8001", "[::1]:8001", "localhost:8001", "LOCALHOST", "[::1]"} {
		r := newRequest(t, "POST", "/api/u1/tasks", `{"title":"a"}`, "Origin: http://"+host)
		r.Host = host
		newAPI().serve(t, r).want(t, 201, "")
	}
}

func TestAllowedHosts(t *testing.T) {
	for host, status := range map[string]int{
		"localhost:8001": 200, "127.0.0.1:8001": 200, "[::1]:8001": 200, "192.168.1.7": 200, "": 200,
		"todo-backend:8001": 200, "TODO-backend": 200, "evil.example:8001": 421, "localhost.evil.example": 421, "todo-backend.": 421,
	} {
		r := newRequest(t, "GET", "/api/u1/tasks", "")
		r.Host = host
		newAPI(func(o *Options) { o.AllowedHosts = []string{"localhost", "todo-backend"} }).serve(t, r).want(t, status, "")
	}
}

func TestValidateOrigins(t *testing.T) {
	if err := ValidateOrigins(DefaultOrigins()); err != nil {
		t.Errorf("the default: %v", err)
	}
	err := ValidateOrigins([]string{"https://a.example", "*", "localhost:3001", "http://a/b"})
	if err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(3, len(strings.Split(err.Error(), "\n"))); diff != "" {
		t.Errorf("errors (-want +got):\n%s\n%v", diff, err)
	}
}
