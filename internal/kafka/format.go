package kafka

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// AppendValue appends the record's value as it is, and a line break.
func AppendValue(dst []byte, r *kgo.Record) []byte {
	return append(append(dst, r.Value...), '\n')
}

// A JSONFormatter writes records as JSON lines that lose nothing. The zero value is
// ready. It is for one goroutine.
type JSONFormatter struct {
	Raw      bool // the value is always "value", as it is stored, also where it is an event
	MetaOnly bool // sizes in place of key, headers and value

	second int64  // Unix, of prefix
	prefix []byte // its time up to the seconds
}

// AppendJSON appends the record as one line of JSON:
//
//	{"topic":"task-events","partition":0,"offset":7,"timestamp":"2026-02-17T12:00:00.123Z",
//	 "key":"123","headers":[{"key":"traceparent","value":"00-…"}],"event":{…}}
//
// key and a header's value may be null. Exactly one of three holds the value:
// "event", byte for byte, if it is a JSON object with a specversion (a CloudEvent in
// structured mode) that fits on a line; else "value", a string, or null for a
// tombstone. A key, value, header key or header value that isn't UTF-8 stands under
// its name with _base64 instead (standard encoding, padded). Headers keep their
// order and duplicates. The timestamp is UTC with milliseconds, null where the
// record has none, and "timestamp_type":"append" follows where the broker set it.
// Control characters are escaped.
//
// With MetaOnly, the sizes in bytes stand in place of all that (null for a null key or
// value), and headers are counted:
//
//	"key_size":3,"value_size":330,"header_count":2,"header_size":40
func (f *JSONFormatter) AppendJSON(dst []byte, r *kgo.Record) []byte {
	dst = append(dst, `{"topic":`...)
	dst = appendString(dst, []byte(r.Topic))
	dst = append(dst, `,"partition":`...)
	dst = strconv.AppendInt(dst, int64(r.Partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, r.Offset, 10)
	dst = append(dst, `,"timestamp":`...)
	dst = f.appendTime(dst, r)
	dst = append(dst, ',')
	if f.MetaOnly {
		return append(appendSizes(dst, r), "}\n"...)
	}
	dst = appendBytes(dst, "key", r.Key)
	dst = append(dst, `,"headers":[`...)
	for i, h := range r.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendBytes(dst, "key", []byte(h.Key))
		dst = append(dst, ',')
		dst = appendBytes(dst, "value", h.Value)
		dst = append(dst, '}')
	}
	dst = append(dst, `],`...)
	if !f.Raw && spliceable(r.Value) {
		dst = append(dst, `"event":`...)
		dst = append(dst, r.Value...)
	} else {
		dst = appendBytes(dst, "value", r.Value)
	}
	return append(dst, "}\n"...)
}

func appendSizes(dst []byte, r *kgo.Record) []byte {
	dst = appendSize(append(dst, `"key_size":`...), r.Key)
	dst = appendSize(append(dst, `,"value_size":`...), r.Value)
	dst = strconv.AppendInt(append(dst, `,"header_count":`...), int64(len(r.Headers)), 10)
	return strconv.AppendInt(append(dst, `,"header_size":`...), int64(headersSize(r)), 10)
}

func appendSize(dst, b []byte) []byte {
	if b == nil {
		return append(dst, "null"...)
	}
	return strconv.AppendInt(dst, int64(len(b)), 10)
}

func headersSize(r *kgo.Record) int {
	size := 0
	for _, h := range r.Headers {
		size += len(h.Key) + len(h.Value)
	}
	return size
}

// spliceable tells whether the value is a CloudEvent that can stand in a line of
// JSON as it is, so that reading the line gives back its bytes.
func spliceable(value []byte) bool {
	if len(value) == 0 || value[0] != '{' {
		return false
	}
	event := false
	s := scan{b: value}
	valid := s.members(func(key, value []byte) {
		if string(key) == "specversion" {
			event = value[0] == '"'
		}
	})
	return valid && event && !s.rough
}

func (f *JSONFormatter) appendTime(dst []byte, r *kgo.Record) []byte {
	kind := r.Attrs.TimestampType()
	if kind < 0 {
		return append(dst, "null"...)
	}
	milli := r.Timestamp.UnixMilli()
	second, rest := milli/1000, milli%1000
	if rest < 0 {
		second, rest = second-1, rest+1000
	}
	if f.prefix == nil || f.second != second {
		f.second = second
		f.prefix = time.Unix(second, 0).UTC().AppendFormat(f.prefix[:0], `"2006-01-02T15:04:05.`)
	}
	dst = append(dst, f.prefix...)
	dst = append(dst, byte('0'+rest/100), byte('0'+rest/10%10), byte('0'+rest%10), `Z"`[0], `Z"`[1])
	if kind == 1 {
		dst = append(dst, `,"timestamp_type":"append"`...)
	}
	return dst
}

// appendBytes appends the member name with b as text, null, or under another name
// in base64.
func appendBytes(dst []byte, name string, b []byte) []byte {
	dst = append(append(dst, '"'), name...)
	switch {
	case b == nil:
		return append(dst, `":null`...)
	case utf8.Valid(b):
		return appendString(append(dst, `":`...), b)
	}
	dst = append(dst, `_base64":"`...)
	return append(base64.StdEncoding.AppendEncode(dst, b), '"')
}

// appendString appends b, which is UTF-8, as a JSON string in which no control
// character stands as itself.
func appendString(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for len(b) > 0 {
		n := plain(b)
		dst, b = append(dst, b[:n]...), b[n:]
		if len(b) == 0 {
			break
		}
		r, size := utf8.DecodeRune(b)
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r == '\t':
			dst = append(dst, `\t`...)
		case r < 0x20 || 0x7f <= r && r < 0xa0:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = append(dst, b[:size]...)
		}
		b = b[size:]
	}
	return append(dst, '"')
}
