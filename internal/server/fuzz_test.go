package server

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Whatever is sent, the API stands, answers in JSON and says what is wrong.
func FuzzAPI(f *testing.F) {
	for _, seed := range []struct{ method, target, headers, body string }{
		{"GET", "/api/u1/tasks?status=pending&sort=title:desc&limit=3&envelope=true", "", ""},
		{"POST", "/api/u1/tasks", "Idempotency-Key: k", `{"title":"a","tags":["b"],"due_date":"2026-03-01"}`},
		{"PATCH", "/api/tasks/1", "X-User-ID: u1\nIf-Match: \"1\", W/\"2\"", `{"title":null}`},
		{"PUT", "/api/u1/tasks/1", "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", `{"completed":true}`},
		{"POST", "/api/u1/tasks/1/complete", "Origin: http://evil.example", ""},
		{"DELETE", "/api/tasks/tasks/1", "If-Match: *", ""},
		{"GET", "/api/u1/tasks/1", "If-None-Match: \"1\"", ""},
		{"OPTIONS", "*", "Origin: http://localhost:3001\nAccess-Control-Request-Method: PUT", ""},
		{"CONNECT", "example.com:80", "", ""},
		{"GET", "http://example.com/api/%2e%2e/tasks//", "", ""},
		{"GET", "/readyz?verbose", "", ""},
		{"GET", "*", "", ""},
	} {
		f.Add(seed.method, seed.target, seed.headers, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, target, headers, body string) {
		head := method + " " + target + " HTTP/1.1\r\nHost: x\r\n" + strings.ReplaceAll(headers, "\n", "\r\n") + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
		if err != nil {
			return // net/http refuses it before the API
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		a := newAPI()
		a.do(t, "POST", "/api/u1/tasks", `{"title":"a"}`)
		rec := httptest.NewRecorder()
		a.ServeHTTP(rec, r)
		if rec.Code >= 500 || rec.Code >= 300 && rec.Code < 400 && rec.Code != 304 {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if rec.Code < 400 {
			return
		}
		var got failure
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || got.Detail == "" || strings.ContainsAny(got.Detail, "\r\n") {
			t.Fatalf("%d %q: %v", rec.Code, rec.Body, err)
		}
	})
}
