package input

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// ContentType is the media type of a CloudEvent in structured mode (CloudEvents
// 1.0.2, JSON event format, section 3).
const ContentType = "application/cloudevents+json"

// A Maker makes entries of values. Fields that are nil or empty are taken from the
// value. It is for one goroutine.
type Maker struct {
	Topic   string    // of every record; "" is the one of a line of tail's
	Type    string    // of a new CloudEvent; "" is the data's event_type, else "test"
	Source  string    // of a new CloudEvent
	Key     *Template // of every record
	Headers []Header  // of every record, behind its own

	// KeepPartition keeps the partition of a line of tail's; any other has -1.
	KeepPartition bool

	seq  int                // of the entry that is made
	slab []Entry            // not given out yet
	kind string             // of the last CloudEvent
	mark []kgo.RecordHeader // of every record that is a CloudEvent
}

// A Header is one header of a record.
type Header struct {
	Key   string
	Value *Template
}

// make makes an entry of a line, or of any value in one of the formats of lines.
func (m *Maker) make(place Place, value []byte, format Format) (*Entry, error) {
	e := m.next(place)
	var err error
	switch format {
	case Raw:
		e.Record.Value = value
	case JSON:
		err = m.record(e, bytes.TrimSpace(value))
	default:
		err = m.event(e, bytes.TrimSpace(value), format == Auto)
	}
	if err == nil {
		err = m.finish(e)
	}
	if err != nil {
		return nil, &PlaceError{place, err}
	}
	return e, nil
}

func (m *Maker) next(place Place) *Entry {
	const slab = 64
	if len(m.slab) == 0 {
		m.slab = make([]Entry, slab)
	}
	e := &m.slab[0]
	m.slab = m.slab[1:]
	m.seq++
	e.Place = place
	e.Record.Partition = -1
	return e
}

// finish does what is done to every record.
func (m *Maker) finish(e *Entry) error {
	r := &e.Record
	if m.Topic != "" {
		r.Topic = m.Topic
	}
	if r.Topic == "" {
		return errors.New("names no topic: give one, as in 'todoctl events publish TOPIC'")
	}
	if m.Key != nil && r.Key == nil { // else it was set with the event
		r.Key = m.key()
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers[:len(r.Headers):len(r.Headers)], kgo.RecordHeader{Key: h.Key, Value: h.Value.Append(nil, m.seq)})
	}
	return nil
}

// key is the key that every record is given, nil for none.
func (m *Maker) key() []byte {
	if m.Key == nil {
		return nil
	}
	return m.Key.Append([]byte{}, m.seq)
}

// record takes a line of tail's.
func (m *Maker) record(e *Entry, line []byte) error {
	if err := kafka.ParseJSON(line, &e.Record); err != nil {
		return err
	}
	if !m.KeepPartition {
		e.Record.Partition = -1
	}
	if m.Key != nil {
		e.Record.Key = m.key()
	}
	if l := look(e.Record.Value); l.valid && l.spec {
		e.Event, e.id, e.Type = true, text(l.id), m.intern(text(l.kind))
	}
	return nil
}

// looks are what there is to see at the top of a JSON object; all of it raw.
type looks struct {
	valid, spec              bool
	id, source, kind         []byte
	partitionKey, eventType  []byte
	topic, offset, timestamp bool
}

func look(object []byte) looks {
	var l looks
	l.valid = kafka.Members(object, func(key, value []byte) {
		switch string(key) {
		case "specversion":
			l.spec = value[0] == '"'
		case "id":
			l.id = value
		case "source":
			l.source = value
		case "type":
			l.kind = value
		case "partitionkey":
			l.partitionKey = value
		case "event_type":
			l.eventType = value
		case "topic":
			l.topic = true
		case "offset":
			l.offset = true
		case "timestamp":
			l.timestamp = true
		}
	})
	return l
}

// event takes a JSON value: a CloudEvent, or the data of one.
func (m *Maker) event(e *Entry, value []byte, auto bool) error {
	l := look(value)
	switch {
	case !l.valid:
		if err := validJSON(value); err != nil {
			return err
		}
		l = looks{} // no object
	case auto && l.topic && l.offset && l.timestamp && !l.spec:
		return m.record(e, value)
	case l.spec:
		return m.cloudEvent(e, value, l)
	}
	kind := m.Type
	if kind == "" {
		kind = m.intern(text(l.eventType))
	}
	m.wrap(e, kind, value, "application/json", "data")
	return nil
}

func validJSON(value []byte) error {
	var any json.RawMessage
	if err := json.Unmarshal(value, &any); err != nil {
		return fmt.Errorf("is no JSON: %w", err)
	}
	if !utf8.Valid(value) {
		return errors.New("is no JSON: it isn't UTF-8")
	}
	if len(value) > 0 && value[0] == '{' {
		return errors.New("is nested too deep")
	}
	return nil
}

// cloudEvent takes a CloudEvent as it is, and puts id and source, which it must have,
// at its front where they are missing.
func (m *Maker) cloudEvent(e *Entry, value []byte, l looks) error {
	for _, attribute := range []struct {
		name string
		raw  []byte
	}{{"id", l.id}, {"source", l.source}, {"type", l.kind}} {
		if attribute.raw != nil && len(text(attribute.raw)) == 0 {
			return fmt.Errorf("has a specversion, but its %s is no text or empty", attribute.name)
		}
	}
	e.Event, e.id, e.Type = true, text(l.id), m.intern(text(l.kind))
	var front []byte
	put := func(name string, value []byte) {
		front = append(append(append(front, '"'), name...), `":`...)
		front = append(kafka.AppendString(front, value), ',')
	}
	if l.id == nil {
		e.id = appendUUID(nil, 0)
		put("id", e.id)
	}
	if l.source == nil {
		put("source", []byte(m.Source))
	}
	if l.kind == nil {
		if m.Type == "" {
			return errors.New("has a specversion but no type, which every CloudEvent has; give one with --type")
		}
		e.Type = m.Type
		put("type", []byte(m.Type))
	}
	if front != nil {
		spliced := make([]byte, 0, len(value)+len(front))
		value = append(append(append(spliced, '{'), front...), value[1:]...)
	}
	e.Record.Value = value
	e.Record.Headers = m.contentType()
	if e.Record.Key = m.key(); m.Key == nil {
		e.Record.Key = text(l.partitionKey)
	}
	return nil
}

// wrap makes a new CloudEvent of a value, which stands under the name data as it is.
func (m *Maker) wrap(e *Entry, kind string, value []byte, contentKind, name string) {
	if kind == "" {
		kind = "test"
	}
	if m.Key != nil {
		e.Record.Key = m.key()
	}
	e.Event, e.id, e.Type = true, appendUUID(nil, 0), kind
	b := make([]byte, 0, 256+len(value))
	b = append(append(append(b, `{"specversion":"1.0","id":"`...), e.id...), `","source":`...)
	b = append(kafka.AppendString(b, []byte(m.Source)), `,"type":`...)
	b = append(kafka.AppendString(b, []byte(kind)), `,"time":"`...)
	b = append(append(appendNow(b), `","datacontenttype":"`...), contentKind...)
	b = append(b, '"')
	if key := e.Record.Key; len(key) > 0 && utf8.Valid(key) {
		b = kafka.AppendString(append(b, `,"partitionkey":`...), key)
	}
	b = append(append(append(b, `,"`...), name...), `":`...)
	e.Record.Value = append(append(b, value...), '}')
	e.Record.Headers = m.contentType()
}

// Wrap makes the value of an entry that is no CloudEvent the data of a new one: JSON
// as it is, other text as a string, bytes as data_base64. It is for the ways that
// carry nothing but CloudEvents.
func (m *Maker) Wrap(e *Entry) {
	value := e.Record.Value
	switch {
	case len(value) > 0 && json.Valid(value) && utf8.Valid(value):
		m.wrap(e, m.Type, value, "application/json", "data")
	case utf8.Valid(value):
		m.wrap(e, m.Type, kafka.AppendString(nil, value), "text/plain", "data")
	default:
		quoted := append(base64.StdEncoding.AppendEncode([]byte{'"'}, value), '"')
		m.wrap(e, m.Type, quoted, "application/octet-stream", "data_base64")
	}
}

// contentType tells that the value is a whole CloudEvent (CloudEvents Kafka binding
// 1.0.2, structured mode).
func (m *Maker) contentType() []kgo.RecordHeader {
	if m.mark == nil {
		m.mark = []kgo.RecordHeader{{Key: "content-type", Value: []byte(ContentType)}}
	}
	return m.mark
}

// intern is the string of b, which is mostly the one of the last entry.
func (m *Maker) intern(b []byte) string {
	if string(b) != m.kind {
		m.kind = string(b)
	}
	return m.kind
}

// text is what a raw JSON string stands for, nil for anything else and for "".
func text(raw []byte) []byte {
	if len(raw) <= 2 || raw[0] != '"' {
		return nil
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1 : len(raw)-1]
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return []byte(s)
}

// CloudEvent returns the CloudEvent that a line is, or that a line of tail's holds,
// and its type.
func CloudEvent(line []byte) (event []byte, kind string, err error) {
	line = bytes.TrimSpace(line)
	l := look(line)
	if l.valid && l.topic && l.offset && l.timestamp && !l.spec {
		var r kgo.Record
		if err := kafka.ParseJSON(line, &r); err != nil {
			return nil, "", err
		}
		line, l = r.Value, look(r.Value)
	}
	if !l.valid {
		if err := validJSON(line); err != nil {
			return nil, "", err
		}
	}
	if !l.valid || !l.spec {
		return nil, "", errors.New("is no CloudEvent: it has no specversion")
	}
	return line, string(text(l.kind)), nil
}
