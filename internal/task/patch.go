package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A Patch holds the fields that a request gives; a nil field stays as it is.
// What may be cleared is a pointer to the empty value: "" for a text, an empty
// list, the zero time, nil for a number.
type Patch struct {
	Title         *string
	Description   *string
	Completed     *bool
	Priority      *Priority
	Tags          *[]string
	DueDate       *time.Time
	RemindAt      *time.Time
	RemindBefore  **int
	Timezone      *string
	Channels      *[]string
	Recurrence    *string
	RecurrenceEnd *time.Time
}

// ParsePatch reads a JSON object. null clears a field, an absent field stays,
// unknown fields are passed over (clients send whole tasks back, with fields of
// their own). The error is an *InvalidError that names every field of a wrong
// type, or body when it is no JSON object.
func ParsePatch(body []byte) (Patch, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return Patch{}, Invalid("body", notAnObject(body, err))
	}
	var p Patch
	var c checker
	field(&c, fields, "title", "a string", &p.Title)
	field(&c, fields, "description", "a string", &p.Description)
	field(&c, fields, "completed", "true or false", &p.Completed)
	field(&c, fields, "priority", "a string", &p.Priority)
	field(&c, fields, "tags", "a list of strings", &p.Tags)
	field(&c, fields, "remind_before", "a whole number of minutes", &p.RemindBefore)
	field(&c, fields, "timezone", "a string", &p.Timezone)
	field(&c, fields, "channels", "a list of strings", &p.Channels)
	field(&c, fields, "recurrence", "a string", &p.Recurrence)
	p.DueDate = timeField(&c, fields, "due_date")
	p.RemindAt = timeField(&c, fields, "remind_at")
	p.RecurrenceEnd = timeField(&c, fields, "recurrence_end")
	if c.problems != nil {
		return Patch{}, &InvalidError{Problems: c.problems}
	}
	return p, nil
}

func notAnObject(body []byte, err error) string {
	var syntax *json.SyntaxError
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return "is empty, must be a JSON object"
	case errors.As(err, &syntax):
		return fmt.Sprintf("malformed JSON at byte %d: %v", syntax.Offset, err)
	default:
		return "must be a JSON object"
	}
}

// field decodes one field; null leaves a pointer to the zero value, which clears.
func field[T any](c *checker, fields map[string]json.RawMessage, name, kind string, into **T) {
	raw, ok := fields[name]
	if !ok {
		return
	}
	value := new(T)
	if err := json.Unmarshal(raw, value); err != nil {
		c.add(name, "must be %s, not %s", kind, kindOf(raw))
		return
	}
	*into = value
}

func timeField(c *checker, fields map[string]json.RawMessage, name string) *time.Time {
	var text *string
	field(c, fields, name, "a time in RFC 3339", &text)
	if text == nil {
		return nil
	}
	if *text == "" {
		return &time.Time{}
	}
	t, err := ParseTime(*text)
	if err != nil {
		c.add(name, "%v", err)
		return nil
	}
	return &t
}

// ParseTime reads RFC 3339 and, since date pickers send them, a date or a time
// without zone, which it takes as UTC.
func ParseTime(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return Timestamp(t), nil
		}
	}
	return time.Time{}, fmt.Errorf("must be a time in RFC 3339 such as 2026-02-17T12:00:00Z, not %q", brief(s))
}

// brief cuts a text that is quoted in a message.
func brief[S ~string](s S) string {
	const most = 40
	if utf8.RuneCountInString(string(s)) <= most {
		return string(s)
	}
	return string([]rune(string(s))[:most]) + "…"
}

func kindOf(raw json.RawMessage) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a string"
	case 't', 'f':
		return "true or false"
	case 'n':
		return "null"
	default:
		return "a number"
	}
}

// apply returns t with the patch's fields in place, trimmed and normal, not yet
// validated.
func (p Patch) apply(t Task) Task {
	if p.Title != nil {
		t.Title = strings.TrimSpace(*p.Title)
	}
	if p.Description != nil {
		t.Description = *p.Description
	}
	if p.Completed != nil {
		t.Completed = *p.Completed
	}
	if p.Priority != nil {
		t.Priority = orDefault(*p.Priority, Medium)
	}
	if p.Tags != nil {
		t.Tags = distinct(*p.Tags)
	}
	if p.RemindBefore != nil {
		t.RemindBefore = *p.RemindBefore
	}
	if p.Timezone != nil {
		t.Timezone = orDefault(strings.TrimSpace(*p.Timezone), UTC)
	}
	if p.Channels != nil {
		t.Channels = distinct(*p.Channels)
	}
	if p.Recurrence != nil {
		t.Recurrence = orDefault(*p.Recurrence, "none")
	}
	setTime(&t.DueDate, p.DueDate)
	setTime(&t.RemindAt, p.RemindAt)
	setTime(&t.RecurrenceEnd, p.RecurrenceEnd)
	return t
}

func orDefault[S ~string](s, fallback S) S {
	if s == "" {
		return fallback
	}
	return s
}

func setTime(field **time.Time, value *time.Time) {
	switch {
	case value == nil:
	case value.IsZero():
		*field = nil
	default:
		t := Timestamp(*value)
		*field = &t
	}
}

// distinct trims texts and drops repetitions, in order, into a new slice.
func distinct(texts []string) []string {
	out := make([]string, 0, len(texts))
	seen := make(map[string]bool, len(texts))
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if !seen[text] {
			seen[text] = true
			out = append(out, text)
		}
	}
	return out
}
