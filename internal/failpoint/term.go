//go:build failpoint

package failpoint

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A term is what happens at a point, and when.
type term struct {
	action string // kill, error or pause
	pause  time.Duration
	at     int // the hit at which it happens
	oneIn  int // instead of at: one hit in so many; 0 for at
	hits   int
}

// parse reads terms such as "before-commit=kill@40", with spaces between them.
func parse(text string) (map[string]*term, error) {
	terms := map[string]*term{}
	for _, word := range strings.Fields(text) {
		name, what, ok := strings.Cut(word, "=")
		what, when, timed := strings.Cut(what, "@")
		t := &term{}
		if !ok || !timed || !t.setAction(what) || !t.setTurn(when) {
			return nil, fmt.Errorf("failpoint %q: write NAME=kill|error|pause:DURATION@N or @1/N", word)
		}
		terms[name] = t
	}
	return terms, nil
}

func (t *term) setAction(what string) bool {
	var length string
	t.action, length, _ = strings.Cut(what, ":")
	if t.action == "pause" {
		var err error
		t.pause, err = time.ParseDuration(length)
		return err == nil
	}
	return length == "" && (t.action == "kill" || t.action == "error")
}

func (t *term) setTurn(when string) bool {
	into := &t.at
	if n, ok := strings.CutPrefix(when, "1/"); ok {
		when, into = n, &t.oneIn
	}
	n, err := strconv.Atoi(when)
	*into = n
	return err == nil && n > 0
}
