package dlq

import (
	"bytes"
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// The reasons of letters that don't tell one.
const (
	ReasonUnknown  = "unknown (Dapr's own copy)"
	ReasonNotEvent = "not a CloudEvent"
)

// A Letter is a dead letter as it was read.
type Letter struct {
	Record   *kgo.Record
	Cause                // Reason is never empty, Origin.Topic never the letter's own topic
	Event    kafka.Event // zero if IsEvent is false
	Redrives int         // how often the event was redriven before

	IsEvent      bool
	partitionKey string
}

// Place is where the letter is.
func (l Letter) Place() Place {
	return Place{Topic: l.Record.Topic, Partition: l.Record.Partition, Offset: l.Record.Offset}
}

const cePrefix = "ce_" // of attributes in binary mode: CloudEvents Kafka protocol binding 1.0.2, section 3.2.3

// Parse reads any record as a dead letter; it shares the record's memory. Headers win
// over attributes. Without either the origin is what Dapr's own copies say in their
// headers __topic, __partition and __offset, else the event's attribute topic, else
// the name of the letter's topic without Suffix. What makes no sense is not known.
func Parse(r *kgo.Record) Letter {
	l := Letter{Record: r}
	l.Event, l.IsEvent = kafka.ParseEvent(r)
	said := readSaid(r)
	l.partitionKey = said["partitionkey"]
	l.Cause = Cause{
		Reason: bounded(said["dlqreason"], MaxReason), Error: bounded(said["dlqerror"], MaxError),
		Attempts: count(said["dlqattempts"]), Consumer: bounded(said["dlqconsumer"], maxName),
		First: parseTime(said["dlqfirst"]), Last: parseTime(said["dlqlast"]),
		Origin: origin(r.Topic, said),
	}
	switch {
	case l.Reason != "":
	case l.IsEvent:
		l.Reason = ReasonUnknown
	default:
		l.Reason = ReasonNotEvent
	}
	l.Redrives = count(said[CountAttribute])
	return l
}

// maxName is more than a topic or group has.
const maxName = 255

// readSaid are the record's statements by the names of attributes, and by the names of
// Dapr's headers.
func readSaid(r *kgo.Record) map[string]string {
	said := make(map[string]string)
	if structured(r.Value) {
		kafka.Members(bytes.TrimSpace(r.Value), func(key, value []byte) {
			if name := string(key); name == "topic" || name == "partitionkey" || name == CountAttribute || ours(key, value) {
				said[name] = scalar(value)
			}
		})
	}
	for _, h := range r.Headers {
		name := strings.ToLower(h.Key)
		if attr, ok := strings.CutPrefix(name, cePrefix); ok {
			said[attr] = string(h.Value)
		}
		if isDapr(h.Key) {
			said[h.Key] = string(h.Value)
		}
	}
	names := headerNames()
	for _, h := range r.Headers {
		if attr := names[strings.ToLower(h.Key)]; attr != "" {
			said[attr] = string(h.Value)
		}
	}
	return said
}

// headerNames are the attributes' names by those of the headers that say the same.
func headerNames() map[string]string {
	names := map[string]string{CountHeader: CountAttribute}
	for _, attr := range attributes() {
		header := attr
		if attr == "first" || attr == "last" {
			header += "-failure"
		}
		names[headerPrefix+header] = attrPrefix + attr
	}
	return names
}

func origin(topic string, said map[string]string) Place {
	place := func(topic, partition, offset string) Place {
		p := UnknownOrigin()
		p.Topic = bounded(topic, maxName)
		if n, err := strconv.ParseUint(partition, 10, 31); err == nil {
			p.Partition = int32(n)
		}
		if n, err := strconv.ParseUint(offset, 10, 63); err == nil {
			p.Offset = int64(n)
		}
		return p
	}
	if name := said["dlqtopic"]; name != "" && name != topic {
		return place(name, said["dlqpartition"], said["dlqoffset"])
	}
	if name := said["__topic"]; name != "" && name != topic {
		return place(name, said["__partition"], said["__offset"])
	}
	name := said["topic"]
	if name == topic { // Dapr names the topic that it publishes to
		name = ""
	}
	return place(cmp.Or(name, strings.TrimSuffix(topic, Suffix)), "", "")
}

func count(s string) int {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return int(n)
}

func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
