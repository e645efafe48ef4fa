//go:build unix

package faults

import (
	"bufio"
	"context"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// A drill is a stack that is given one fault after the other, and a client that looks
// at every answer.
type drill struct {
	*testing.T
	*stack
	ctx context.Context
	c   *client
}

// A room is where files grow until there is no more of it.
type room interface {
	shrink() error // leaves none
	grow() error   // makes some again
}

// roomOf is the room of a program's files: their disk when they have one that can be
// filled, else a limit of their length; nil where neither can be had.
func roomOf(disk *smallDisk, dir string, c *child) room {
	if disk != nil {
		return disk
	}
	return newFileLimit(dir, c)
}

// newDrill starts a stack with topics. Its requests go to the last replica unless told
// otherwise.
func newDrill(t *testing.T, o options) *drill {
	t.Helper()
	o.programs = needPrograms(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	s := newStack(t, o, folder(t))
	if err := s.makeTopics(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, r := range s.replicas {
			if t.Failed() {
				t.Logf("%s:\n%s", r.name, r.tail())
			}
		}
	})
	l := &load{http: &http.Client{Timeout: 30 * time.Second}}
	d := &drill{T: t, stack: s, ctx: ctx, c: &client{load: l, user: "drill", random: rand.New(rand.NewPCG(1, 1))}}
	d.send(s.replicas[len(s.replicas)-1])
	return d
}

// send makes a replica the one that requests go to.
func (d *drill) send(to *replica) { d.c.apis = []string{to.api} }

// create asks for a task, once.
func (d *drill) create() answer { return d.c.once(d.ctx, d.wish(), "") }

func (d *drill) wish() request { return request{action: "create", user: d.c.user, title: d.c.title()} }

// until waits for what must come to pass within a time.
func (d *drill) until(most time.Duration, what string, holds func() bool) {
	d.Helper()
	ctx, cancel := context.WithTimeout(d.ctx, most)
	defer cancel()
	if !poll(ctx, holds) {
		d.Fatalf("not within %s: %s", most, what)
	}
}

// well waits until a change is made and no event waits.
func (d *drill) well() {
	d.Helper()
	d.until(30*time.Second, "a change is made", func() bool { return d.create().outcome == checker.OK })
	d.until(30*time.Second, "every event is out", func() bool { return d.waiting() == 0 })
}

// waiting counts the events that haven't got out, -1 when the database doesn't say.
func (d *drill) waiting() int {
	n, err := d.db.reader.Waiting(d.ctx)
	if err != nil {
		return -1
	}
	return n
}

// status asks with GET and says how long the answer took.
func (d *drill) status(path string) (int, time.Duration) {
	began := time.Now()
	resp, err := get(d.ctx, "http://"+d.c.apis[0]+path)
	if err != nil {
		d.Errorf("GET %s: %v", path, err)
		return 0, time.Since(began)
	}
	defer resp.Body.Close()
	return resp.StatusCode, time.Since(began)
}

// judge waits until every event is out, and lets the checker look at all there is.
func (d *drill) judge() {
	d.Helper()
	d.until(30*time.Second, "the outbox is empty", func() bool { return d.waiting() == 0 })
	evidence, err := d.gather(d.ctx, d.c.load)
	if err != nil {
		d.Fatal(err)
	}
	evidence.Recovered = true
	if report := checker.Check(evidence); report.Red() != nil {
		d.Errorf("%s", report)
	}
}

// A log is what a replica has written since a moment.
type log struct {
	*testing.T
	file  string
	since int64
}

func (d *drill) log(r *replica) log {
	l := log{T: d.T, file: filepath.Join(r.dir, "log")}
	l.since = int64(len(l.text()))
	return l
}

func (l log) text() string {
	text, err := os.ReadFile(l.file)
	if err != nil {
		l.Fatal(err)
	}
	return string(text[l.since:])
}

// count counts the lines that contain all of some texts.
func (l log) count(texts ...string) int {
	n := 0
	for line := range strings.Lines(l.text()) {
		all := true
		for _, text := range texts {
			all = all && strings.Contains(line, text)
		}
		if all {
			n++
		}
	}
	return n
}

// once checks that a line has come once, and is no flood with others.
func (l log) once(texts ...string) {
	l.Helper()
	if n := l.count(texts...); n != 1 {
		l.Errorf("%d log lines with %q, want 1:\n%s", n, texts, l.text())
	}
}

// calm checks that the log isn't flooded.
func (l log) calm() {
	l.Helper()
	const most = 12
	if n := l.count(" warn ") + l.count(" error "); n > most {
		l.Errorf("%d warnings and errors, at most %d are right:\n%s", n, most, l.text())
	}
}

// metric reads one sample, such as todo_relay_leader or
// todo_store_failures_total{operation="read"}; -1 when there is none.
func (r *replica) metric(ctx context.Context, sample string) float64 {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	resp, err := get(ctx, "http://"+r.api+"/metrics")
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), sample+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return -1
			}
			return n
		}
	}
	return -1
}

// raised waits until a counter is higher than it was: a transaction that waits for its
// answer fails after 10 s.
func (d *drill) raised(r *replica, sample string, before float64) {
	d.Helper()
	d.until(12*time.Second, sample+" counts", func() bool { return r.metric(d.ctx, sample) > before })
}
