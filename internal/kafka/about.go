package kafka

import (
	"bytes"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// about is what a filter asks of a record's event, or of a value that is JSON
// without being one.
type about struct {
	event Event
	ok    bool // there is an event

	kind string // the data's event_type, or else its type
	task string // the data's task_id, or that of the data within it; digits of a number as written
}

func readAbout(r *kgo.Record) about {
	var a about
	a.event, a.ok = ParseEvent(r)
	payload := a.event.Data
	if !a.ok {
		payload = r.Value
	}
	kind := ""
	s := scan{b: payload}
	valid := s.members(func(key, value []byte) {
		switch string(key) {
		case "event_type":
			a.kind = text(value)
		case "type":
			kind = text(value)
		case "task_id":
			a.task = scalar(value)
		case "data":
			if a.task == "" {
				a.task = taskOf(value)
			}
		}
	})
	if !valid {
		a.kind, a.task = "", ""
		return a
	}
	if a.kind == "" {
		a.kind = kind
	}
	return a
}

func taskOf(object []byte) string {
	task := ""
	s := scan{b: object}
	s.members(func(key, value []byte) {
		if string(key) == "task_id" {
			task = scalar(value)
		}
	})
	return task
}

// isKind tells whether the event, or its data, is of the wanted type in any of the
// spellings: task.created, task_created, created.
func (a about) isKind(want string) bool {
	return sameKind(want, a.event.Type) || sameKind(want, a.kind)
}

func sameKind(a, b string) bool {
	a, b = dotted(a), dotted(b)
	switch {
	case a == b:
		return a != ""
	case !strings.Contains(a, "."):
		return a != "" && a == lastWord(b)
	case !strings.Contains(b, "."):
		return b != "" && b == lastWord(a)
	}
	return false
}

func dotted(kind string) string { return strings.ReplaceAll(kind, "_", ".") }

func lastWord(kind string) string { return kind[strings.LastIndexAny(kind, "._")+1:] }

// taskID is the task that the record is about: as its data says, else its subject,
// else its key.
func (a about) taskID(r *kgo.Record) string {
	if a.task != "" {
		return a.task
	}
	if id, ok := strings.CutPrefix(a.event.Subject, "tasks/"); ok {
		return id
	}
	return string(r.Key)
}

// attribute returns the event's attribute of that name: a header in binary mode, a
// member of the value in structured mode.
func attribute(r *kgo.Record, name string) (string, bool) {
	for _, h := range r.Headers {
		if attributeName(h.Key) == name {
			return string(h.Value), true
		}
	}
	found, ok, event := "", false, false
	s := scan{b: bytes.TrimSpace(r.Value)}
	valid := s.members(func(key, value []byte) {
		if string(key) == "specversion" {
			event = value[0] == '"'
		}
		if string(key) == name {
			found, ok = scalar(value), true
		}
	})
	return found, ok && valid && event
}

// attributeName is the name of the attribute that the header is in binary mode, or "".
func attributeName(header string) string {
	const prefix = "ce_"
	if len(header) < len(prefix) || !strings.EqualFold(header[:len(prefix)], prefix) {
		return ""
	}
	return strings.ToLower(header[len(prefix):])
}

// scalar is the text of a string, and any other value as it is written.
func scalar(value []byte) string {
	if value[0] == '"' {
		return text(value)
	}
	return string(value)
}

// hasHeader tells whether a header, or the attribute that it would be in binary
// mode, has the value, or is there at all where value is nil.
func hasHeader(r *kgo.Record, h HeaderFilter) bool {
	fits := func(value string) bool { return h.Value == nil || value == *h.Value }
	if slices.ContainsFunc(r.Headers, func(has kgo.RecordHeader) bool { return has.Key == h.Key && fits(string(has.Value)) }) {
		return true
	}
	name := attributeName(h.Key)
	if name == "" {
		return false
	}
	value, ok := attribute(r, name)
	return ok && fits(value)
}
