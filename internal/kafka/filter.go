package kafka

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Filter says which records are wanted: those that fit every field that is set.
// The zero Filter wants all.
//
// Types, Tasks, Keys and Headers look at the record as it is stored and at the
// CloudEvent in it, in structured or binary mode; Types and Tasks also at a value
// that is a JSON object but no CloudEvent.
type Filter struct {
	// Types are types of events, of which the record has one: the event's own or
	// the event_type of its data. task.created, task_created and created are the
	// same.
	Types []string

	// Tasks are ids of tasks, of which the record is about one: by the task_id of
	// the event's data, or of the data within that; without one by the event's
	// subject, tasks/ID; without that by the record's key.
	Tasks []string

	// Keys are keys, of which the record, or its event's partitionkey, is one.
	Keys []string

	Headers []HeaderFilter // the record has all of them

	// Grep matches the key, the value, the name or value of a header, or the
	// decoded data of an event that has it in base64.
	Grep *regexp.Regexp

	Since, Until time.Time // the record's time is not before Since, and before Until

	Where *Where // holds
}

// A HeaderFilter is a header that a record must have. ce_type and the like are also
// the attributes of a CloudEvent in structured mode.
type HeaderFilter struct {
	Key   string
	Value *string // any when nil
}

// Matcher returns what tells whether a record is wanted, nil when all are. It is for one
// goroutine.
func (f Filter) Matcher() func(*kgo.Record) bool {
	if m := newMatcher(f); m != nil {
		return m.match
	}
	return nil
}

// A matcher tells which records a filter wants. Nearly all of those that it doesn't
// want are known by a search for the bytes that they would have to contain, without
// parsing them.
type matcher struct {
	Filter
	types, tasks, keys []needle
	literal            *needle // all that Grep is
	encoded, escaped   needle
}

// newMatcher returns nil for a filter that wants all.
func newMatcher(f Filter) *matcher {
	if len(f.Types)+len(f.Tasks)+len(f.Keys)+len(f.Headers) == 0 && f.Grep == nil &&
		f.Since.IsZero() && f.Until.IsZero() && f.Where == nil {
		return nil
	}
	m := &matcher{Filter: f, encoded: newNeedle(`_base64"`), escaped: newNeedle(`\u`)}
	for _, text := range slices.Concat(f.Types, f.Tasks, f.Keys) {
		if strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c == '"' || c == '\\' || c == '/' }) {
			m.escaped = newNeedle(`\`) // these have other escapes
		}
	}
	for _, kind := range f.Types {
		m.types = append(m.types, newNeedle(lastWord(kind)+`"`)) // which ends a string
	}
	for _, id := range f.Tasks {
		m.tasks = append(m.tasks, newNeedle(id))
	}
	for _, key := range f.Keys {
		m.keys = append(m.keys, newNeedle(key))
	}
	if f.Grep != nil {
		if text, _ := f.Grep.LiteralPrefix(); regexp.QuoteMeta(text) == f.Grep.String() {
			n := newNeedle(text)
			m.literal = &n
		}
	}
	return m
}

// keep returns the wanted records, in place.
func (m *matcher) keep(records []*kgo.Record) []*kgo.Record {
	if m == nil {
		return records
	}
	return slices.DeleteFunc(records, func(r *kgo.Record) bool { return !m.match(r) })
}

func (m *matcher) match(r *kgo.Record) bool {
	switch {
	case !m.Since.IsZero() && r.Timestamp.Before(m.Since), !m.Until.IsZero() && !r.Timestamp.Before(m.Until):
		return false
	case !m.maybe(r):
		return false
	case m.Grep != nil && !m.grep(r):
		return false
	case !m.exactly(r):
		return false
	}
	return m.Where == nil || m.Where.match(r)
}

// maybe is false for a record that can't be wanted. A value with an escape or with
// base64 may say anything.
func (m *matcher) maybe(r *kgo.Record) bool {
	return m.mayBe(r, m.types, m.Types, needle.in) && m.mayBe(r, m.tasks, m.Tasks, needle.isNumber) && m.mayBe(r, m.keys, m.Keys, needle.in)
}

// mayBe tells whether the record may have one of what is wanted, if anything is: it is
// the key, is found in the value, or ends a header.
func (m *matcher) mayBe(r *kgo.Record, needles []needle, wanted []string, found func(needle, []byte) bool) bool {
	for i, n := range needles {
		if string(r.Key) == wanted[i] || found(n, r.Value) {
			return true
		}
		for _, h := range r.Headers {
			if bytes.HasSuffix(h.Value, []byte(lastWord(wanted[i]))) {
				return true
			}
		}
	}
	return len(needles) == 0 || m.hidden(r)
}

func (m *matcher) hidden(r *kgo.Record) bool {
	return bytes.IndexByte(r.Value, '\\') >= 0 && m.escaped.in(r.Value) || m.encoded.in(r.Value)
}

// exactly is the check of the fields that need the event.
func (m *matcher) exactly(r *kgo.Record) bool {
	if len(m.Types)+len(m.Tasks) > 0 {
		a := readAbout(r)
		if len(m.Types) > 0 && !slices.ContainsFunc(m.Types, a.isKind) {
			return false
		}
		if len(m.Tasks) > 0 && !slices.Contains(m.Tasks, a.taskID(r)) {
			return false
		}
	}
	if len(m.Keys) > 0 && !m.hasKey(r) {
		return false
	}
	return !slices.ContainsFunc(m.Headers, func(h HeaderFilter) bool { return !hasHeader(r, h) })
}

func (m *matcher) hasKey(r *kgo.Record) bool {
	if r.Key != nil && slices.Contains(m.Keys, string(r.Key)) {
		return true
	}
	key, ok := attribute(r, "partitionkey")
	return ok && slices.Contains(m.Keys, key)
}

func (m *matcher) grep(r *kgo.Record) bool {
	found := m.Grep.Match
	if m.literal != nil {
		found = m.literal.in
	}
	if found(r.Value) || found(r.Key) {
		return true
	}
	for _, h := range r.Headers {
		if found([]byte(h.Key)) || found(h.Value) {
			return true
		}
	}
	if !m.encoded.in(r.Value) {
		return false
	}
	e, ok := ParseEvent(r)
	return ok && found(e.Data)
}

// isNumber tells whether the text stands somewhere by itself, not as a part of a
// longer number.
func (n needle) isNumber(b []byte) bool {
	digit := func(i int) bool { return 0 <= i && i < len(b) && b[i]-'0' <= 9 }
	for from := 0; from < len(b); {
		i := n.index(b[from:])
		if i < 0 {
			return false
		}
		i += from
		if !digit(i-1) && !digit(i+len(n.text)) {
			return true
		}
		from = i + 1
	}
	return false
}
