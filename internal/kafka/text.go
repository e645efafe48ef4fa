package kafka

import (
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/text/width"
)

// A TextFormatter writes records for people, one line each. The zero value is
// ready. It is for one goroutine.
type TextFormatter struct {
	Color    bool           // with ANSI colours
	Width    int            // cut lines to this many columns; 0 is no limit
	Location *time.Location // of the times; UTC when nil
	Raw      bool           // the value as it is stored, without a look for an event
	MetaOnly bool           // sizes in place of type, key and value

	where, kind, key int // the widest of each column so far
}

// The columns stop growing here: one long key shouldn't push all later lines.
const maxColumn = 40

const (
	dim   = "\x1b[2m"
	cyan  = "\x1b[36m"
	green = "\x1b[32m"
	bold  = "\x1b[1m"
	reset = "\x1b[0m"
)

// AppendText appends a line: time, topic[partition]@offset, the CloudEvent's type,
// the key, and the title in the event's data or else the data or value itself.
// Columns are as wide as they have had to be so far. Whatever isn't printable
// (control characters, bytes that aren't UTF-8, marks that reorder text) is
// escaped, so that a record can't write to the terminal but through this line.
func (f *TextFormatter) AppendText(dst []byte, r *kgo.Record) []byte {
	loc := f.Location
	if loc == nil {
		loc = time.UTC
	}
	var e Event
	if !f.Raw && !f.MetaOnly {
		e, _ = ParseEvent(r)
	}
	where := r.Topic + "[" + strconv.Itoa(int(r.Partition)) + "]@" + strconv.FormatInt(r.Offset, 10)

	l := line{dst: dst, color: f.Color, limit: f.Width}
	l.put(r.Timestamp.In(loc).Format(f.layout()), dim)
	f.where = l.column(where, cyan, f.where)
	if f.MetaOnly {
		l.put("  "+sizes(r), "")
		return append(l.dst, '\n')
	}
	if !f.Raw {
		f.kind = l.column(e.Type, green, f.kind)
	}
	f.key = l.column(string(r.Key), bold, f.key)
	l.put("  ", "")
	l.summary(r, e)
	return append(l.dst, '\n')
}

func sizes(r *kgo.Record) string {
	size := func(name string, b []byte) string {
		if b == nil {
			return "no " + name
		}
		return name + " " + strconv.Itoa(len(b)) + " B"
	}
	s := size("key", r.Key) + ", " + size("value", r.Value)
	if len(r.Headers) > 0 {
		s += ", headers " + strconv.Itoa(len(r.Headers)) + " (" + strconv.Itoa(headersSize(r)) + " B)"
	}
	return s
}

// layout is that of the time: short on a narrow terminal, to leave room for what the
// record says.
func (f *TextFormatter) layout() string {
	if f.Width > 0 && f.Width < 100 {
		return "01-02 15:04:05"
	}
	return "2006-01-02 15:04:05.000"
}

// A line is being written.
type line struct {
	dst   []byte
	color bool
	limit int  // columns; 0 is none
	used  int  // columns
	full  bool // and marked so
}

// column writes a gap and a column at least as wide as widest, and returns the new
// widest.
func (l *line) column(s, color string, widest int) int {
	l.put("  ", "")
	from := l.used
	l.put(s, color)
	if l.full {
		return widest
	}
	l.put(strings.Repeat(" ", max(widest-(l.used-from), 0)), "")
	return max(widest, min(l.used-from, maxColumn))
}

func (l *line) summary(r *kgo.Record, e Event) {
	title := e.title()
	switch {
	case r.Value == nil:
		l.put("(tombstone)", dim)
	case title != "":
		l.put(title, "")
	case len(e.Data) > 0:
		l.put(string(e.Data), "")
	default:
		l.put(string(r.Value), "")
	}
}

// put writes s, escaped, as far as it fits.
func (l *line) put(s, color string) {
	if l.full || s == "" {
		return
	}
	if l.color && color != "" {
		l.dst = append(l.dst, color...)
		defer func() { l.dst = append(l.dst, reset...) }()
	}
	for len(s) > 0 {
		from := len(l.dst)
		dst, size, columns := appendShown(l.dst, s)
		l.dst = dst
		if l.limit > 0 && l.used+columns > l.limit-1 { // the last column is for the mark
			l.dst = append(l.dst[:from], "…"...)
			l.full = true
			return
		}
		l.used += columns
		s = s[size:]
	}
}

// appendShown appends the first rune of s, escaped unless it is printable, and
// returns its size in s and the columns it takes.
func appendShown(dst []byte, s string) (shown []byte, size, columns int) {
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		return hex.AppendEncode(append(dst, `\x`...), []byte{s[0]}), 1, 4
	}
	if unicode.IsPrint(r) {
		return append(dst, s[:size]...), size, runeColumns(r)
	}
	quoted := strconv.QuoteRuneToASCII(r)
	escape := quoted[1 : len(quoted)-1]
	return append(dst, escape...), size, len(escape)
}

// runeColumns is how many columns a printable rune takes.
func runeColumns(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}
