//go:build unix

package main

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"
)

// The line comes after a second, is taken away for a message, and at the end.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{out: &out, status: func() string { return "7 events" }, ended: make(chan struct{})}
		p.wait.Go(p.run)
		at := func(d time.Duration) {
			<-time.After(d)
			synctest.Wait()
		}
		at(900 * time.Millisecond)
		p.mu.Lock()
		if out.Len() > 0 {
			t.Errorf("%q before a second has passed", out.String())
		}
		p.mu.Unlock()
		at(200 * time.Millisecond)
		p.say("evil \x1b[2J")
		at(500 * time.Millisecond)
		p.stop()
		p.stop()
		want := "7 events\r\x1b[K" + `evil \x1b[2J` + "\n7 events\r\x1b[K"
		if out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}
