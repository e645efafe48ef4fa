// Package server is the HTTP API of the tasks: it reads requests, hands wishes
// and questions to a Store and writes the answers as JSON.
//
// It guarantees that an answer is JSON wherever the API itself answers (what
// net/http refuses before it, such as a malformed request line, is plain text),
// that bad input is answered with 400 and one clear line, and that no cause of
// an internal failure and no stack trace reaches a client. Which error has which
// status stands in one table, statusOf. A page of another origin can't write
// unless that origin is allowed.
//
// It does not know databases, brokers or events; a 2xx means what the Store
// means by it. It does not authenticate yet: a request acts for the user of its
// path or, on the paths without one, of its X-User-ID header.
package server

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/task"
)

// A Store keeps the tasks. It answers task.ErrNotFound, task.ErrStale,
// task.ErrKeyReused, task.ErrUnavailable and *task.InvalidError, wrapped or not,
// where they apply; every other error becomes a 500.
type Store interface {
	Change(ctx context.Context, c task.Change) (task.Result, error)
	Task(ctx context.Context, userID string, id int64) (task.Task, error)
	Tasks(ctx context.Context, userID string, q task.Query) (task.Page, error)
}

// Options are the parts of an API. Only Store is needed.
type Options struct {
	Store    Store
	Checks   []Check
	Log      *slog.Logger         // nil logs nothing
	Registry *prometheus.Registry // nil makes one; shown at /metrics
	Version  string               // of the build; shown at / and /health
	Now      func() time.Time     // nil is time.Now
	Timeout  time.Duration        // of the Store's answer to a request; 0 is 5 s
	Requests int                  // that wait for the Store at a time, the next gets 503 at once; 0 is 1,000
	Hub      *Hub                 // of the live updates; nil has none, for want of Kafka, and their paths answer 404

	// AllowedOrigins are the origins, such as http://localhost:3001, whose pages
	// may use the API from a browser. nil is DefaultOrigins, an empty list none.
	// One that ValidateOrigins refuses is never allowed.
	AllowedOrigins []string

	// AllowedHosts, when not empty, are the names under which the API answers; a
	// request for another Host gets 421. IP addresses and localhost always pass.
	// It keeps a page whose name was rebound to a loopback address from reading:
	// {"localhost"} is right for an API that listens on loopback only.
	AllowedHosts []string
}

// New returns the API. It panics when Registry holds another metric of the
// name http_request_duration_seconds.
func New(o Options) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Registry == nil {
		o.Registry = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &server{
		store:   newBoundedStore(o),
		hub:     o.Hub,
		checks:  o.Checks,
		log:     o.Log,
		version: o.Version,
		now:     o.Now,
		guard:   newGuard(o.AllowedOrigins, o.AllowedHosts),
		metrics: newMetrics(o.Registry),
		common: http.Header{
			"Cache-Control":          {"private, no-cache"},
			"Vary":                   {"Origin, X-User-ID"},
			"X-Content-Type-Options": {"nosniff"},
		},
		buffers: sync.Pool{New: newBuffer},
		docs:    sync.OnceValues(renderDocs),
	}
	s.register(s.routes(o.Registry))
	return s
}

type server struct {
	store    Store
	hub      *Hub
	checks   []Check
	log      *slog.Logger
	version  string
	now      func() time.Time
	guard    *guard
	metrics  *metrics
	common   http.Header // on every answer; its values are shared, never appended to
	buffers  sync.Pool   // of *buffer
	docs     func() ([]byte, error)
	own      *http.ServeMux // the paths below /api/tasks
	streams  *http.ServeMux // the paths of streams
	everyone *http.ServeMux // all others
}

// ServeHTTP admits a request and routes it.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	res := &response{ResponseWriter: w, route: unmatched}
	defer s.finish(res, r, s.now())
	h := res.Header()
	for name, values := range s.common {
		h[name] = values
	}
	r = withoutSlash(r)
	if err := s.guard.admit(h, r); err != nil {
		s.fail(res, r, err)
		return
	}
	if isPreflight(r) {
		res.WriteHeader(http.StatusNoContent)
		return
	}
	escaped := r.URL.EscapedPath()
	// ServeMux would answer these with a redirect in HTML.
	if !strings.HasPrefix(escaped, "/") || path.Clean(escaped) != escaped {
		s.fail(res, r, noSuchPath(r))
		return
	}
	s.muxOf(escaped).ServeHTTP(res, r)
}

// withoutSlash takes one slash off the end of the path, as the frameworks of
// the API's siblings do.
func withoutSlash(r *http.Request) *http.Request {
	if escaped := r.URL.EscapedPath(); len(escaped) < 2 || !strings.HasSuffix(escaped, "/") {
		return r
	}
	clone, u := *r, *r.URL
	u.Path = strings.TrimSuffix(u.Path, "/")
	u.RawPath = strings.TrimSuffix(u.RawPath, "/")
	clone.URL = &u
	return &clone
}
