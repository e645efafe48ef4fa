//go:build unix

package faults

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// A mood is how a receiver of webhooks treats those who call.
type mood string

const (
	willing  mood = ""
	failing  mood = "500"     // answers 500
	hanging  mood = "hang"    // answers nothing
	cutting  mood = "cut"     // breaks the connection
	devoured mood = "swallow" // takes what comes and breaks the connection
)

// A receiver takes webhooks and remembers them.
type receiver struct {
	*httptest.Server

	mu    sync.Mutex
	mood  mood
	posts []checker.Telling
	wrong []string // what no webhook may be
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) set(m mood) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood = m
}

func (r *receiver) now() mood {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.mood
}

// ServeHTTP takes one webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	m := r.now()
	body, err := io.ReadAll(request.Body)
	switch {
	case err != nil, m == cutting:
		panic(http.ErrAbortHandler)
	case m == failing:
		w.WriteHeader(http.StatusInternalServerError)
	case m == hanging:
		timer := time.NewTimer(10 * time.Second)
		defer timer.Stop()
		select {
		case <-request.Context().Done():
		case <-timer.C:
		}
		panic(http.ErrAbortHandler)
	default:
		r.take(request.Header, body)
		if m == devoured {
			panic(http.ErrAbortHandler)
		}
	}
}

func (r *receiver) take(header http.Header, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	told, err := checker.ParseTelling(body)
	switch {
	case err != nil:
		r.wrong = append(r.wrong, err.Error())
	case header.Get("Webhook-Id") != told.ID || header.Get("Webhook-Signature") == "":
		r.wrong = append(r.wrong, "webhook-id "+header.Get("Webhook-Id")+" of event "+told.ID)
	default:
		r.posts = append(r.posts, told)
	}
}

// taken counts what was taken so far.
func (r *receiver) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.posts)
}
