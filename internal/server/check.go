package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// checkTimeout bounds each check: a kubelet waits no longer than a second.
const checkTimeout = time.Second

// A Check is one line of /readyz?verbose. Run gets a second and must return when
// its context ends; it may be called by several requests at once. The text of
// its error is shown to whoever asks: it must hold no secrets.
type Check struct {
	Name string
	Run  func(ctx context.Context) error

	// Required checks decide whether the API is ready. One that isn't is only
	// shown: the API goes on taking writes while a sidecar is away.
	Required bool
}

// run returns nil or an error whose text is one line.
func (c Check) run(ctx context.Context) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err = c.Run(ctx); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", checkTimeout)
	}
	return err
}

// A finding is the outcome of one check.
type finding struct {
	Check
	err error
}

// verdict is "ok", or "failed" with the reason, on one line.
func (f finding) verdict() string {
	if f.err == nil {
		return "ok"
	}
	return "failed: " + strings.Join(strings.Fields(f.err.Error()), " ")
}

// examine runs the checks side by side; ready is false when a required one fails.
func (s *server) examine(ctx context.Context) (findings []finding, ready bool) {
	findings = make([]finding, len(s.checks))
	var wg sync.WaitGroup
	for i, check := range s.checks {
		wg.Go(func() { findings[i] = finding{Check: check, err: check.run(ctx)} })
	}
	wg.Wait()
	ready = true
	for _, f := range findings {
		if f.err != nil && f.Required {
			ready = false
		}
	}
	return findings, ready
}

// livez says that the process answers, and nothing about what it depends on:
// a restart wouldn't mend that.
func (s *server) livez(w *response, _ *http.Request) error {
	w.writeText(http.StatusOK, "ok\n")
	return nil
}

// readyz answers as the API server of Kubernetes does: a bare ok, or each check
// on a line when ?verbose asks for it or one that is required fails.
func (s *server) readyz(w *response, r *http.Request) error {
	findings, ready := s.examine(r.Context())
	if ready && !r.URL.Query().Has("verbose") {
		w.writeText(http.StatusOK, "ok\n")
		return nil
	}
	var text strings.Builder
	for _, f := range findings {
		mark, remark := '+', ""
		if f.err != nil {
			mark = '-'
			if !f.Required {
				remark = " (not required)"
			}
		}
		fmt.Fprintf(&text, "[%c]%s %s%s\n", mark, f.Name, f.verdict(), remark)
	}
	if !ready {
		w.writeText(http.StatusServiceUnavailable, text.String()+"readyz check failed\n")
		return nil
	}
	w.writeText(http.StatusOK, text.String()+"readyz check passed\n")
	return nil
}

// health is the same as JSON.
type health struct {
	Status  string            `json:"status"` // ok or unavailable
	Version string            `json:"version"`
	Checks  map[string]string `json:"checks"`
}

func (s *server) health(w *response, r *http.Request) error {
	findings, ready := s.examine(r.Context())
	answer := health{Status: "ok", Version: s.version, Checks: make(map[string]string, len(findings))}
	for _, f := range findings {
		answer.Checks[f.Name] = f.verdict()
	}
	if !ready {
		answer.Status = "unavailable"
		return s.writeJSON(w, http.StatusServiceUnavailable, answer)
	}
	return s.writeJSON(w, http.StatusOK, answer)
}
