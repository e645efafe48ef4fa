package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxLine is the longest line that is taken, in bytes: more than a record of 1 MiB
// takes where each byte is an escape of six.
const MaxLine = 8 << 20

var errTooLong = fmt.Errorf("is longer than %d bytes, the most that is taken", MaxLine)

// A splitter splits what it reads into lines. A line is never overwritten: records
// go on using its memory.
type splitter struct {
	r          io.Reader
	block      []byte
	start, end int // of what of the block is not split yet
	line       int // the number of the last line
	err        error
}

const blockSize = 256 << 10

// next returns the next line without its line break, errTooLong for one that was
// passed over, or the reader's error after the last.
func (s *splitter) next() ([]byte, error) {
	searched := 0 // bytes from start without a line break
	for {
		if i := bytes.IndexByte(s.block[s.start+searched:s.end], '\n'); i >= 0 {
			line, err := s.take(searched + i)
			s.start++
			return line, err
		}
		searched = s.end - s.start
		switch {
		case s.err != nil && searched > 0 && errors.Is(s.err, io.EOF):
			return s.take(searched)
		case s.err != nil:
			return nil, s.err
		case searched > MaxLine:
			return nil, s.pass()
		}
		s.more()
	}
}

// take returns the next n bytes as a line.
func (s *splitter) take(n int) ([]byte, error) {
	line := s.block[s.start : s.start+n : s.start+n]
	s.start += n
	s.line++
	if n > MaxLine {
		return nil, errTooLong
	}
	return line, nil
}

// more reads on, into a new block where this one is full.
func (s *splitter) more() {
	if s.end == len(s.block) {
		rest := s.block[s.start:s.end]
		s.block = make([]byte, max(blockSize, 2*len(rest)))
		s.start, s.end = 0, copy(s.block, rest)
	}
	var n int
	n, s.err = s.r.Read(s.block[s.end:])
	s.end += n
}

// pass skips the line that has begun.
func (s *splitter) pass() error {
	s.line++
	for {
		s.start, s.end = 0, 0
		if s.err != nil {
			return errTooLong
		}
		s.more()
		if i := bytes.IndexByte(s.block[:s.end], '\n'); i >= 0 {
			s.start = i + 1
			return errTooLong
		}
	}
}

// NewLines reads an entry a line, in any format but CSV. A line of nothing but space
// is passed over, except in Raw, where it is a value. name is the file's, "" for
// standard input.
func NewLines(r io.Reader, name string, format Format, maker *Maker) Source {
	return &lines{splitter: splitter{r: r}, name: name, format: format, maker: maker}
}

type lines struct {
	splitter splitter
	name     string
	format   Format
	maker    *Maker
}

func (l *lines) Next() (*Entry, error) {
	for {
		line, err := l.splitter.next()
		place := Place{File: l.name, Line: l.splitter.line}
		switch {
		case errors.Is(err, errTooLong):
			return nil, &PlaceError{place, err}
		case errors.Is(err, io.EOF):
			return nil, io.EOF
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", source(l.name), err)
		case l.format != Raw && len(bytes.TrimSpace(line)) == 0:
			continue
		}
		return l.maker.make(place, line, l.format)
	}
}

func source(name string) string {
	if name == "" {
		return "standard input"
	}
	return name
}
