//go:build unix

package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// A scriptStream is a stream that a script listens to.
type scriptStream struct {
	body  io.Closer
	lines *bufio.Scanner
	name  string
}

// listen NAME URL [LAST-EVENT-ID]: opens a stream; without a position it is joined
// when this returns.
func openStream(ts *testscript.TestScript, _ bool, args []string) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, args[1], nil)
	ts.Check(err)
	if len(args) > 2 {
		req.Header.Set("Last-Event-ID", args[2])
	}
	client := &http.Client{Timeout: patience}
	resp, err := client.Do(req)
	ts.Check(err)
	ts.Defer(func() { resp.Body.Close() })
	s := &scriptStream{body: resp.Body, lines: bufio.NewScanner(resp.Body), name: args[0]}
	streams(ts)[s.name] = s
	for len(args) == 2 && s.read(ts) == "" {
	}
}

// heard NAME N: the next N events of a stream, without their ids; sets $NAME to the
// last id.
func heard(ts *testscript.TestScript, _ bool, args []string) {
	s := streams(ts)[args[0]]
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for n > 0 {
		line := s.lines.Text()
		switch {
		case strings.HasPrefix(line, "event: "):
			fmt.Fprintln(ts.Stdout(), line)
		case strings.HasPrefix(line, "data: "):
			fmt.Fprintln(ts.Stdout(), line)
			n--
		}
		s.read(ts)
	}
}

// hangup NAME: closes a stream.
func hangUp(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(streams(ts)[args[0]].body.Close())
}

// read reads a line, and returns the id that it has.
func (s *scriptStream) read(ts *testscript.TestScript) string {
	if !s.lines.Scan() {
		ts.Fatalf("stream %s ended: %v", s.name, cmp.Or(s.lines.Err(), io.EOF))
	}
	id := idOf(s.lines.Text())
	if id != "" {
		ts.Setenv(s.name, id)
	}
	return id
}

func streams(ts *testscript.TestScript) map[string]*scriptStream {
	return ts.Value("streams").(map[string]*scriptStream)
}
