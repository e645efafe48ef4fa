package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/todoctl/todoctl/internal/stack"
)

// An upWatch follows the containers while they start.
type upWatch struct {
	began time.Time

	mu      sync.Mutex
	last    map[string]string // condition by service
	waiting []string
	words   string // docker's last line
}

func newUpWatch() *upWatch { return &upWatch{began: time.Now(), last: map[string]string{}} }

// changes has a line for each service whose condition is another than before.
func (w *upWatch) changes(list []stack.Container, said string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.words, w.waiting = said, nil
	var lines []string
	for _, c := range list {
		condition := c.Condition()
		if w.last[c.Service] != condition {
			w.last[c.Service] = condition
			lines = append(lines, c.Service+": "+condition)
		}
		if !c.Ready() {
			w.waiting = append(w.waiting, c.Service)
		}
	}
	slices.Sort(lines)
	return lines
}

// status is the line on the terminal.
func (w *upWatch) status() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	what := "docker compose up"
	switch {
	case len(w.waiting) > 0:
		what = "waiting for " + strings.Join(w.waiting, ", ")
	case w.words != "":
		what += ": " + w.words
	}
	return fmt.Sprintf("%s (%d s)", what, int(time.Since(w.began).Seconds()))
}

// said is docker's last line.
func (w *upWatch) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.words == "" {
		return "nothing"
	}
	return w.words
}
