package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// A response is the answer to one request and what log and metrics say of it.
type response struct {
	http.ResponseWriter
	route  string // pattern of the path
	user   string // "" when unknown
	status int    // 0 until the header is written
	err    error  // why the request failed
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// A buffer holds one body, of a request or of an answer.
type buffer struct {
	bytes.Buffer
	json *json.Encoder // into the Buffer
}

func newBuffer() any {
	b := &buffer{}
	b.json = json.NewEncoder(&b.Buffer)
	b.json.SetEscapeHTML(false)
	return b
}

func (s *server) buffer() *buffer { return s.buffers.Get().(*buffer) }

// release gives a buffer back; one that a long list has blown up is let go.
func (s *server) release(b *buffer) {
	if b.Cap() <= maxBody {
		b.Reset()
		s.buffers.Put(b)
	}
}

// writeJSON answers with v and a newline. When v can't be encoded, nothing has
// been written.
func (s *server) writeJSON(w *response, status int, v any) error {
	b := s.buffer()
	defer s.release(b)
	if err := b.json.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.write(status, b.Bytes())
	return nil
}

func (w *response) writeText(status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.write(status, []byte(text))
}

// write sends a whole body. That the client has gone meanwhile is no error of
// this side.
func (w *response) write(status int, body []byte) {
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// finish is deferred around every request: a panic becomes a 500, and the
// request is measured and logged.
func (s *server) finish(w *response, r *http.Request, began time.Time) {
	cut := false
	if v := recover(); v != nil {
		cut = w.status != 0
		s.fail(w, r, &panicError{value: v, stack: debug.Stack()})
	}
	if w.status == 0 {
		w.status = http.StatusOK // what net/http sends then
	}
	took := s.now().Sub(began)
	s.metrics.observe(w, r, took)
	s.logRequest(w, r, took)
	if cut {
		panic(http.ErrAbortHandler) // half an answer must not look whole
	}
}

func (s *server) logRequest(w *response, r *http.Request, took time.Duration) {
	level := slog.LevelDebug
	panicked, isPanic := errors.AsType[*panicError](w.err)
	// A database that is away fails every request: the store tells of that, once.
	away := w.status == http.StatusServiceUnavailable
	if w.status >= http.StatusInternalServerError && !away || isPanic {
		level = slog.LevelWarn
	}
	if !s.log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", r.Method),
		slog.String("route", w.route),
		slog.Int("status", w.status),
		slog.Duration("duration", took),
		slog.String("user", w.user),
	}
	if w.err != nil {
		attrs = append(attrs, slog.Any("err", w.err))
	}
	if isPanic {
		attrs = append(attrs, slog.String("stack", string(panicked.stack)))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}
