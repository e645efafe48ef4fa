package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

const (
	tallyEvery   = 500 * time.Millisecond
	tallySilence = time.Second // of a terminal that shows events too
)

// A tally counts what tail has read and shown, in one line on a terminal's stderr: at
// all times where the events go elsewhere, and where a filter has kept the terminal
// silent for long. A nil tally counts nothing.
type tally struct {
	out      io.Writer
	filtered bool
	shared   bool // events go to the terminal too

	mu          sync.Mutex
	read, shown int64
	printed     time.Time // when an event was last written
	visible     bool

	done    chan struct{}
	stopped sync.WaitGroup
}

// newTally returns nil where the line must not be: stderr is no terminal, or the
// events on it speak for themselves.
func (a *app) newTally(filtered bool) *tally {
	shared := a.printer().Width > 0
	if a.messages().Width == 0 || a.env("TERM") == "dumb" || shared && !filtered {
		return nil
	}
	return &tally{out: a.stderr, filtered: filtered, shared: shared, done: make(chan struct{})}
}

func (t *tally) saw(records int)    { t.count(records, 0) }
func (t *tally) showed(records int) { t.count(0, records) }

func (t *tally) count(read, shown int) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.read += int64(read)
	t.shown += int64(shown)
}

// start draws the line again and again, until stop.
func (t *tally) start() {
	if t == nil {
		return
	}
	t.printed = time.Now()
	t.stopped.Go(func() {
		tick := time.NewTicker(tallyEvery)
		defer tick.Stop()
		begin := time.Now()
		for {
			select {
			case <-tick.C:
				t.draw(time.Since(begin))
			case <-t.done:
				return
			}
		}
	})
}

// stop clears the line for good.
func (t *tally) stop() {
	if t == nil {
		return
	}
	close(t.done)
	t.stopped.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.clear()
}

func (t *tally) draw(since time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shared && time.Since(t.printed) < tallySilence {
		return
	}
	rate := func(n int64) string { return grouped(int64(float64(n) / since.Seconds())) }
	line := fmt.Sprintf("%s events, %s/s", grouped(t.read), rate(t.read))
	if t.filtered {
		line = fmt.Sprintf("%s read (%s/s), %s match (%s/s)", grouped(t.read), rate(t.read), grouped(t.shown), rate(t.shown))
	}
	fmt.Fprintf(t.out, "\r%s\x1b[K", line)
	t.visible = true
}

// clear takes the line away; mu is held.
func (t *tally) clear() {
	if t.visible {
		fmt.Fprint(t.out, "\r\x1b[K")
		t.visible = false
	}
}

// over is a writer to the stream of which no write meets the line.
func (t *tally) over(w io.Writer) io.Writer {
	if t == nil {
		return w
	}
	return tallied{t, w}
}

type tallied struct {
	tally *tally
	io.Writer
}

func (w tallied) Write(b []byte) (int, error) {
	w.tally.mu.Lock()
	defer w.tally.mu.Unlock()
	if w.tally.shared || w.Writer == w.tally.out {
		w.tally.clear()
		w.tally.printed = time.Now()
	}
	return w.Writer.Write(b)
}

// grouped is n with commas between its thousands.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
