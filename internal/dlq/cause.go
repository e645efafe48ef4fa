package dlq

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Cause says why an event became a dead letter, and where it had been. What is not
// known is zero, and Origin then UnknownOrigin.
type Cause struct {
	Reason   string    // a short class such as "invalid" or "timeout", the same for all failures of a kind
	Error    string    // the last failure's text; what is over MaxError bytes is cut
	Attempts int       // how often it was tried
	First    time.Time // the first failure
	Last     time.Time // the last one
	Consumer string    // the consumer group that gave up; with Dapr the app's id, unless the component names another
	Origin   Place     // of the event that failed; negative numbers are not known
}

// UnknownOrigin is a place of which nothing is known.
func UnknownOrigin() Place { return Place{Partition: -1, Offset: -1} }

// The bounds of texts, in bytes: an error may quote all of a payload.
const (
	MaxReason = 64
	MaxError  = 1024
)

// The names that a Cause's fields have, as headers and as attributes of a CloudEvent,
// whose names are lower-case letters and digits (CloudEvents 1.0.2, section 3.1).
const (
	headerPrefix = "todoctl-dlq-"
	attrPrefix   = "dlq"

	// CountAttribute and CountHeader say how often an event was redriven. They stay with
	// the event, so a consumer that gives it up again has nothing to do for them.
	CountAttribute = "redrivecount"
	CountHeader    = headerPrefix + "redrive-count"
)

type field struct {
	header, attr string // without prefixes
	value        string
}

// fields are the Cause's, without those that are not known.
func (c Cause) fields() []field {
	var known []field
	add := func(header, attr, value string) {
		if value != "" {
			known = append(known, field{header, attr, value})
		}
	}
	add("reason", "reason", bounded(c.Reason, MaxReason))
	add("error", "error", bounded(c.Error, MaxError))
	if c.Attempts > 0 {
		add("attempts", "attempts", strconv.Itoa(c.Attempts))
	}
	add("first-failure", "first", timeText(c.First))
	add("last-failure", "last", timeText(c.Last))
	add("consumer", "consumer", c.Consumer)
	if c.Origin.Topic != "" {
		add("topic", "topic", c.Origin.Topic)
		add("partition", "partition", positive(int64(c.Origin.Partition)))
		add("offset", "offset", positive(c.Origin.Offset))
	}
	return known
}

// positive is the text of a number, or "" of a negative one, which is not known.
func positive(n int64) string {
	if n < 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// bounded is the valid UTF-8 of a text, cut to a number of bytes.
func bounded(s string, limit int) string {
	s = strings.ToValidUTF8(s, string(utf8.RuneError))
	if len(s) <= limit {
		return s
	}
	const more = "…"
	cut := limit - len(more)
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + more
}

// ErrNotEvent says that a payload is no CloudEvent in structured mode.
var ErrNotEvent = errors.New("not a CloudEvent in JSON")

// Attach returns the event, a CloudEvent in structured mode, with the cause as extension
// attributes in place of those that it has: dlqreason, dlqerror, dlqattempts, dlqfirst,
// dlqlast, dlqconsumer, dlqtopic, dlqpartition, dlqoffset, all of them strings. Every
// other member stays as it is written. It is what a consumer behind Dapr publishes,
// under the event's own key: attributes come through any broker, headers don't.
func (c Cause) Attach(event []byte) ([]byte, error) {
	if !structured(event) {
		return nil, ErrNotEvent
	}
	var add []member
	for _, f := range c.fields() {
		add = append(add, member{attrPrefix + f.attr, f.value})
	}
	return rewrite(event, ours, add), nil
}

// Headers returns the cause as headers of a Kafka record that has the event's own key
// and value: todoctl-dlq-reason, -error, -attempts, -first-failure, -last-failure,
// -consumer, -topic, -partition, -offset. It is for consumers that speak Kafka, and
// for payloads that Attach refuses.
func (c Cause) Headers() []kgo.RecordHeader {
	var headers []kgo.RecordHeader
	for _, f := range c.fields() {
		headers = append(headers, kgo.RecordHeader{Key: headerPrefix + f.header, Value: []byte(f.value)})
	}
	return headers
}
