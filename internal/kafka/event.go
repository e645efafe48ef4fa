package kafka

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// An Event is what of a record's CloudEvent is shown to people. Attributes that
// the event doesn't have are empty.
type Event struct {
	ID, Type, Source, Subject, Time string

	// Data is the event's data: raw JSON in structured mode (decoded from
	// data_base64 where it has that), the record's value in binary mode. It shares
	// the record's memory.
	Data []byte
}

// ParseEvent unwraps the CloudEvent in a record, in structured mode (the value is a
// JSON object with a specversion) or in binary mode (a header ce_specversion);
// CloudEvents Kafka protocol binding 1.0.2, section 3. It returns false when there
// is none.
func ParseEvent(r *kgo.Record) (Event, bool) {
	if e, ok := binaryEvent(r); ok {
		return e, true
	}
	return structuredEvent(r.Value)
}

func binaryEvent(r *kgo.Record) (Event, bool) {
	e, ok := Event{Data: r.Value}, false
	for _, h := range r.Headers {
		switch strings.ToLower(h.Key) {
		case "ce_specversion":
			ok = true
		case "ce_id":
			e.ID = string(h.Value)
		case "ce_type":
			e.Type = string(h.Value)
		case "ce_source":
			e.Source = string(h.Value)
		case "ce_subject":
			e.Subject = string(h.Value)
		case "ce_time":
			e.Time = string(h.Value)
		}
	}
	return e, ok
}

func structuredEvent(value []byte) (Event, bool) {
	var (
		e  Event
		ok bool
	)
	s := scan{b: bytes.TrimSpace(value)}
	valid := s.members(func(key, value []byte) {
		switch string(key) {
		case "specversion":
			ok = value[0] == '"'
		case "id":
			e.ID = text(value)
		case "type":
			e.Type = text(value)
		case "source":
			e.Source = text(value)
		case "subject":
			e.Subject = text(value)
		case "time":
			e.Time = text(value)
		case "data":
			e.Data = value
		case "data_base64":
			if data, err := base64.StdEncoding.DecodeString(text(value)); err == nil {
				e.Data = data
			}
		}
	})
	return e, valid && ok
}

// title returns the title of the event's data, or of the data within it.
func (e Event) title() string {
	title := ""
	find := func(key, value []byte) {
		if string(key) == "title" && title == "" {
			title = text(value)
		}
	}
	s := scan{b: e.Data}
	s.members(func(key, value []byte) {
		find(key, value)
		if string(key) == "data" && title == "" {
			inner := scan{b: value}
			inner.members(find)
		}
	})
	return title
}

// text is the string that the valid JSON value is, or "" if it is none.
func text(value []byte) string {
	if value[0] != '"' {
		return ""
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return string(value[1 : len(value)-1])
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return ""
	}
	return s
}
