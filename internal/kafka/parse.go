package kafka

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Members calls each with the raw key, without its quotes, and the raw value of every
// member of a JSON object. It returns whether the text is one valid object in UTF-8
// and nothing besides, not even space around it; each may have been called before
// that was known.
func Members(object []byte, each func(key, value []byte)) bool {
	s := scan{b: object}
	return s.members(each)
}

// AppendString appends text, which must be UTF-8, as a JSON string on one line.
func AppendString(dst, text []byte) []byte { return appendString(dst, text) }

// ParseJSON sets topic, partition, timestamp, key, headers and value of r from a line
// that AppendJSON wrote, without its line break. They are the very bytes of the record
// that was written, and share the line's memory. A timestamp that was null leaves
// r.Timestamp zero. The offset is not taken, other members are passed over.
func ParseJSON(line []byte, r *kgo.Record) error {
	p := recordParser{r: r}
	if !Members(line, p.member) {
		return errors.New("is no line of 'events tail --json': it is no JSON object")
	}
	if p.err == nil && r.Topic == "" {
		p.err = errors.New("has no topic")
	}
	if p.err == nil && p.values != 1 {
		p.err = errors.New("must have exactly one of event, value and value_base64")
	}
	if p.err != nil {
		return fmt.Errorf("is no line of 'events tail --json': %w", p.err)
	}
	return nil
}

// A recordParser takes the members of a line into a record.
type recordParser struct {
	r      *kgo.Record
	values int // members that hold the value
	err    error
}

func (p *recordParser) member(key, value []byte) {
	if p.err != nil {
		return
	}
	var err error
	switch string(key) {
	case "topic":
		var topic []byte
		topic, err = textBytes(value)
		p.r.Topic = string(topic)
	case "partition":
		var n int64
		n, err = strconv.ParseInt(string(value), 10, 32)
		p.r.Partition = int32(n)
	case "timestamp":
		p.r.Timestamp, err = recordTime(value)
	case "key":
		p.r.Key, err = textOrNull(value)
	case "key_base64":
		p.r.Key, err = decoded(value)
	case "headers":
		p.r.Headers, err = headers(value)
	case "event":
		p.values++
		p.r.Value = value
	case "value":
		p.values++
		p.r.Value, err = textOrNull(value)
	case "value_base64":
		p.values++
		p.r.Value, err = decoded(value)
	}
	if err != nil {
		p.err = fmt.Errorf("%s: %w", key, err)
	}
}

func headers(list []byte) ([]kgo.RecordHeader, error) {
	var all []kgo.RecordHeader
	var failed error
	s := scan{b: list}
	if !s.elements(func(element []byte) {
		var h kgo.RecordHeader
		var err error
		isObject := Members(element, func(key, value []byte) {
			if err == nil {
				err = header(&h, string(key), value)
			}
		})
		if !isObject {
			err = errors.New("must be objects")
		}
		if err != nil && failed == nil {
			failed = err
		}
		all = append(all, h)
	}) {
		return nil, errors.New("must be a list")
	}
	return all, failed
}

func header(h *kgo.RecordHeader, member string, value []byte) (err error) {
	var key []byte
	switch member {
	case "key":
		key, err = textBytes(value)
		h.Key = string(key)
	case "key_base64":
		key, err = decoded(value)
		h.Key = string(key)
	case "value":
		h.Value, err = textOrNull(value)
	case "value_base64":
		h.Value, err = decoded(value)
	}
	return err
}

// elements calls each with the raw elements of the array that the text is, and
// returns whether it is one.
func (s *scan) elements(each func(element []byte)) bool {
	return len(s.b) > 0 && s.b[0] == '[' && s.array(0, 0, each) == len(s.b)
}

func recordTime(value []byte) (time.Time, error) {
	if string(value) == "null" {
		return time.Time{}, nil
	}
	s, err := textBytes(value)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		return time.Time{}, fmt.Errorf("must be a time such as 2026-02-17T12:00:00.123Z, is %q", s)
	}
	return t, nil
}

func textOrNull(value []byte) ([]byte, error) {
	if string(value) == "null" {
		return nil, nil
	}
	return textBytes(value)
}

// textBytes is the string that a valid JSON value is, never nil.
func textBytes(value []byte) ([]byte, error) {
	if value[0] != '"' {
		return nil, fmt.Errorf("must be a string, is %.20s", value)
	}
	for _, c := range value {
		if c == '\\' {
			return []byte(text(value)), nil
		}
	}
	return value[1 : len(value)-1 : len(value)-1], nil
}

func decoded(value []byte) ([]byte, error) {
	s, err := textBytes(value)
	if err != nil {
		return nil, err
	}
	b := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
	n, err := base64.StdEncoding.Decode(b, s)
	if err != nil {
		return nil, errors.New("is no base64")
	}
	return b[:n], nil
}
