package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func passes(context.Context) error { return nil }

func fails(context.Context) error { return errors.New("connection\nrefused") }

func TestLivez(t *testing.T) {
	a := newAPI(func(o *Options) { o.Checks = []Check{{"database", fails, true}} })
	a.do(t, "GET", "/livez", "").want(t, 200, "ok\n")
}

func TestReadyz(t *testing.T) {
	for _, c := range []struct {
		name          string
		checks        []Check
		status        int
		bare, verbose string
		health        string
	}{
		{"no checks", nil, 200, "ok\n", "readyz check passed\n", `{"status":"ok","version":"1.2.3","checks":{}}` + "\n"},
		{
			"all well", []Check{{"database", passes, true}, {"sidecar", passes, false}}, 200,
			"ok\n", "[+]database ok\n[+]sidecar ok\nreadyz check passed\n",
			`{"status":"ok","version":"1.2.3","checks":{"database":"ok","sidecar":"ok"}}` + "\n",
		},
		{
			"sidecar away", []Check{{"database", passes, true}, {"sidecar", fails, false}}, 200,
			"ok\n", "[+]database ok\n[-]sidecar failed: connection refused (not required)\nreadyz check passed\n",
			`{"status":"ok","version":"1.2.3","checks":{"database":"ok","sidecar":"failed: connection refused"}}` + "\n",
		},
		{
			"database away", []Check{{"database", fails, true}, {"sidecar", passes, false}}, 503,
			"[-]database failed: connection refused\n[+]sidecar ok\nreadyz check failed\n",
			"[-]database failed: connection refused\n[+]sidecar ok\nreadyz check failed\n",
			`{"status":"unavailable","version":"1.2.3","checks":{"database":"failed: connection refused","sidecar":"ok"}}` + "\n",
		},
		{
			"a check panics", []Check{{"database", func(context.Context) error { panic("oops") }, true}}, 503,
			"[-]database failed: panic: oops\nreadyz check failed\n", "[-]database failed: panic: oops\nreadyz check failed\n",
			`{"status":"unavailable","version":"1.2.3","checks":{"database":"failed: panic: oops"}}` + "\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAPI(func(o *Options) { o.Checks = c.checks })
			for path, want := range map[string]string{"/readyz": c.bare, "/readyz?verbose": c.verbose, "/readyz?verbose=1": c.verbose, "/health": c.health} {
				if got := a.do(t, "GET", path, ""); got.StatusCode != c.status || got.body != want {
					t.Errorf("%s: %d %q, want %d %q", path, got.StatusCode, got.body, c.status, want)
				}
			}
		})
	}
}

func TestChecksRunSideBySideAndBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}
		a := newAPI(func(o *Options) { o.Checks = []Check{{"database", hangs, true}, {"sidecar", hangs, false}} })
		began := time.Now()
		a.do(t, "GET", "/readyz", "").want(t, 503, "[-]database failed: no answer within 1s")
		if took := time.Since(began); took != checkTimeout {
			t.Errorf("took %s, want %s", took, checkTimeout)
		}
	})
}
