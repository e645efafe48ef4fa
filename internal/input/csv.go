package input

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/todoctl/todoctl/internal/kafka"
)

// NewCSV reads comma-separated values (RFC 4180) with a header. Every row is the data
// of a new CloudEvent, an object with the columns' names. A cell that is a JSON number,
// true or false is one in the data; an empty cell is left out; all else is text, and
// so is every cell of a column whose name in the header ends in ":text". The column
// keyColumn, unless it is "", holds the records' keys.
func NewCSV(r io.Reader, name, keyColumn string, maker *Maker) (Source, error) {
	c := &csvSource{name: name, maker: maker, limit: &limited{r: r, left: MaxLine}, key: -1}
	c.rows = csv.NewReader(c.limit)
	c.rows.ReuseRecord = true
	if err := c.header(keyColumn); err != nil {
		return nil, err
	}
	return c, nil
}

type csvSource struct {
	name    string
	maker   *Maker
	limit   *limited
	rows    *csv.Reader
	columns []column
	key     int // the column of the keys, -1 for none
}

type column struct {
	name string
	text bool
}

func (c *csvSource) header(keyColumn string) error {
	first, err := c.rows.Read()
	if errors.Is(err, io.EOF) {
		return &PlaceError{Place{File: c.name, Line: 1}, errors.New("has no header")}
	}
	if err != nil {
		return c.trouble(err)
	}
	for i, cell := range first {
		if i == 0 {
			cell = strings.TrimPrefix(cell, "\ufeff")
		}
		name, text := strings.CutSuffix(cell, ":text")
		problem := ""
		switch {
		case name == "" || !utf8.ValidString(name):
			problem = fmt.Sprintf("column %d has no name", i+1)
		case slices.ContainsFunc(c.columns, func(other column) bool { return other.name == name }):
			problem = fmt.Sprintf("has two columns %q", name)
		}
		if problem != "" {
			return &PlaceError{Place{File: c.name, Line: 1}, errors.New(problem)}
		}
		c.columns = append(c.columns, column{name, text})
		if name == keyColumn {
			c.key = i
		}
	}
	if keyColumn != "" && c.key < 0 {
		return &PlaceError{Place{File: c.name, Line: 1}, fmt.Errorf("has no column %q, which --key-column names", keyColumn)}
	}
	return nil
}

func (c *csvSource) Next() (*Entry, error) {
	c.limit.left = MaxLine
	cells, err := c.rows.Read()
	if err != nil {
		return nil, c.trouble(err)
	}
	line, _ := c.rows.FieldPos(0)
	place := Place{File: c.name, Line: line}
	data, err := c.object(cells)
	if err != nil {
		return nil, &PlaceError{place, err}
	}
	e := c.maker.next(place)
	if c.key >= 0 && cells[c.key] != "" {
		e.Record.Key = []byte(cells[c.key])
	}
	kind := c.maker.Type
	if kind == "" {
		kind = c.maker.intern(text(look(data).eventType))
	}
	c.maker.wrap(e, kind, data, "application/json", "data")
	if err := c.maker.finish(e); err != nil {
		return nil, &PlaceError{place, err}
	}
	return e, nil
}

// object is a row as JSON.
func (c *csvSource) object(cells []string) ([]byte, error) {
	b := []byte{'{'}
	for i, cell := range cells {
		if cell == "" {
			continue
		}
		if !utf8.ValidString(cell) {
			return nil, fmt.Errorf("column %q isn't UTF-8", c.columns[i].name)
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(kafka.AppendString(b, []byte(c.columns[i].name)), ':')
		if !c.columns[i].text && literal(cell) {
			b = append(b, cell...)
			continue
		}
		b = kafka.AppendString(b, []byte(cell))
	}
	return append(b, '}'), nil
}

// literal tells a JSON number, true and false from text.
func literal(cell string) bool {
	if cell == "true" || cell == "false" {
		return true
	}
	return (cell[0] == '-' || '0' <= cell[0] && cell[0] <= '9') && !strings.ContainsAny(cell, " \t\r\n") && json.Valid([]byte(cell))
}

// trouble is an error of the CSV reader with its place.
func (c *csvSource) trouble(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.Is(err, csv.ErrFieldCount) && errors.As(err, &parse):
		return &PlaceError{Place{File: c.name, Line: parse.StartLine}, fmt.Errorf("doesn't have the %d columns of the header", len(c.columns))}
	case errors.As(err, &parse):
		return &PlaceError{Place{File: c.name, Line: parse.Line}, fmt.Errorf("column %d: %w", parse.Column, parse.Err)}
	case errors.Is(err, errTooLong):
		return fmt.Errorf("a row of %s %w; is a quote not closed?", source(c.name), err)
	default:
		return fmt.Errorf("read %s: %w", source(c.name), err)
	}
}

// limited fails when more is read than is left.
type limited struct {
	r    io.Reader
	left int
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	n, err := l.r.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
