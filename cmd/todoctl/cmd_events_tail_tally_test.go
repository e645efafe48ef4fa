package main

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestTallyBesideAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr, stdout bytes.Buffer
		shown := &tally{out: &stderr, done: make(chan struct{})}
		shown.start()
		shown.saw(1500)
		<-time.After(700 * time.Millisecond)
		fmt.Fprint(shown.over(&stdout), "event\n")
		shown.saw(1000)
		<-time.After(500 * time.Millisecond)
		fmt.Fprint(shown.over(&stderr), "waiting\n")
		shown.stop()
		same(t, stderr.String(), "\r1,500 events, 3,000/s\x1b[K\r2,500 events, 2,500/s\x1b[K\r\x1b[Kwaiting\n")
		same(t, stdout.String(), "event\n")
	})
}

func TestTallyOnTheTerminalOfTheEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var both bytes.Buffer
		shown := &tally{out: &both, filtered: true, shared: true, done: make(chan struct{})}
		shown.start()
		for range 3 { // never silent for long
			<-time.After(600 * time.Millisecond)
			fmt.Fprint(shown.over(&both), "event\n")
			shown.showed(1)
		}
		shown.saw(3600)
		<-time.After(1300 * time.Millisecond)
		fmt.Fprint(shown.over(&both), "event\n")
		<-time.After(1600 * time.Millisecond)
		shown.stop()
		same(t, both.String(), "event\nevent\nevent\n\r3,600 read (1,200/s), 3 match (1/s)\x1b[K\r\x1b[Kevent\n"+
			"\r3,600 read (800/s), 3 match (0/s)\x1b[K\r\x1b[K")
	})
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
