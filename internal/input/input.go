// Package input makes records of what is given to publish: JSON lines, lines of
// `events tail --json`, raw lines, CSV and templates.
//
// Guarantees: the bytes of a CloudEvent, of a raw line and of a record of tail's are
// not changed, except that attributes which a CloudEvent must have and lacks are put
// at its front; every error names the file and line that it is about, and reading may
// go on behind it.
//
// It sends nothing and doesn't know what events are about.
package input

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Format is what lines are taken for.
type Format string

// The formats.
const (
	Auto  Format = "auto"  // as JSON if the line is one of tail's, else as Lines
	Lines Format = "lines" // a JSON value a line: a CloudEvent, or the data of one
	JSON  Format = "json"  // a line of `events tail --json`
	CSV   Format = "csv"   // a header, then the data of an event a row
	Raw   Format = "raw"   // a value a line, the bytes as they are
)

// Formats lists the formats.
func Formats() []Format { return []Format{Auto, Lines, JSON, CSV, Raw} }

// An Entry is one record to send. It shares memory with what was read.
type Entry struct {
	Place  Place
	Record kgo.Record // Partition is -1 unless one was given

	// Of a record whose value is a CloudEvent in structured mode.
	Event bool
	Type  string
	id    []byte
}

// ID is the id of the CloudEvent, "" where there is none.
func (e *Entry) ID() string { return string(e.id) }

// A Place is where an entry was given.
type Place struct {
	File string // "" is standard input
	Line int    // from 1
	Nth  int    // of an entry that stands in no file, from 1
}

func (p Place) String() string {
	switch {
	case p.Nth > 0:
		return "event " + strconv.Itoa(p.Nth)
	case p.File == "":
		return "line " + strconv.Itoa(p.Line)
	default:
		return p.File + ":" + strconv.Itoa(p.Line)
	}
}

// A PlaceError says what is wrong with what stands at a place.
type PlaceError struct {
	Place Place
	Err   error
}

func (e *PlaceError) Error() string { return fmt.Sprintf("%s: %v", e.Place, e.Err) }

func (e *PlaceError) Unwrap() error { return e.Err }

// A Source gives entries one after another.
type Source interface {
	// Next returns the next entry, or io.EOF after the last. After a *PlaceError
	// it may be called again and goes on behind what was wrong; any other error is
	// the end.
	Next() (*Entry, error)
}

// Join is one source after the other; each is opened when the one before has ended,
// and what open returns beside it is closed then.
func Join(open ...func() (Source, io.Closer, error)) Source { return &joined{open: open} }

type joined struct {
	open    []func() (Source, io.Closer, error)
	current Source
	closer  io.Closer
}

func (j *joined) Next() (*Entry, error) {
	for {
		if j.current == nil {
			if len(j.open) == 0 {
				return nil, io.EOF
			}
			var err error
			if j.current, j.closer, err = j.open[0](); err != nil {
				return nil, err
			}
			j.open = j.open[1:]
		}
		entry, err := j.current.Next()
		if !errors.Is(err, io.EOF) {
			return entry, err
		}
		j.current = nil
		if err := j.closer.Close(); err != nil {
			return nil, err
		}
	}
}
