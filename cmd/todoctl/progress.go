package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/ui"
)

// A progress is a line on the terminal that says how far long work is. Where stderr is
// no terminal it shows nothing, and only passes messages on.
type progress struct {
	out    io.Writer
	status func() string // called from another goroutine

	mu    sync.Mutex
	shown bool // the line stands there

	ended chan struct{} // closed by stop
	once  sync.Once
	wait  sync.WaitGroup
}

// startProgress shows the status after a second, and then twice a second, until stop.
func (a *app) startProgress(status func() string) *progress {
	p := &progress{out: a.stderr, status: status, ended: make(chan struct{})}
	if a.messages().Width > 0 {
		p.wait.Go(p.run)
	}
	return p
}

func (p *progress) run() {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for began := time.Now(); ; {
		select {
		case <-p.ended:
			return
		case <-tick.C:
			if time.Since(began) >= time.Second {
				p.show()
			}
		}
	}
}

func (p *progress) show() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprint(p.out, p.status())
	p.shown = true
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// say writes a message on a line of its own.
func (p *progress) say(message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(p.out, ui.CleanLines(message))
}

// stop takes the line away. It may be called twice.
func (p *progress) stop() {
	p.once.Do(func() { close(p.ended) })
	p.wait.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}
