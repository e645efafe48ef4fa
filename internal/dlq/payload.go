package dlq

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// structured tells whether the value is a CloudEvent in structured mode.
func structured(value []byte) bool {
	_, ok := kafka.ParseEvent(&kgo.Record{Value: value})
	return ok
}

// scalar is the text of a valid JSON value: what a string says, and any other value as
// it is written.
func scalar(value []byte) string {
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return string(value)
	}
	return s
}

// A member is one that is added to a JSON object.
type member struct{ key, value string }

// rewrite returns the JSON object without the members that drop is told of, and with
// others at its end. What stays is byte for byte what it was; space between members
// goes, unless nothing changes.
func rewrite(object []byte, drop func(key, value []byte) bool, add []member) []byte {
	trimmed := bytes.TrimSpace(object)
	out := make([]byte, 0, len(trimmed)+64)
	dropped := false
	kafka.Members(trimmed, func(key, value []byte) {
		if drop(key, value) {
			dropped = true
			return
		}
		out = append(append(append(out, `,"`...), key...), `":`...)
		out = append(out, value...)
	})
	if !dropped && len(add) == 0 {
		return object
	}
	for _, m := range add {
		key, _ := json.Marshal(m.key) // strings always have a JSON
		value, _ := json.Marshal(m.value)
		out = append(append(append(append(out, ','), key...), ':'), value...)
	}
	out = append(out, '}')
	if out[0] == ',' {
		out[0] = '{'
		return out
	}
	return append([]byte{'{'}, out...)
}

// ours tells whether an attribute is one of a Cause.
func ours(key, _ []byte) bool {
	name, ok := bytes.CutPrefix(key, []byte(attrPrefix))
	return ok && slices.Contains(attributes(), string(name))
}

func attributes() []string {
	return []string{"reason", "error", "attempts", "first", "last", "consumer", "topic", "partition", "offset"}
}

// Payload is the value as it was before it became a dead letter: without the
// attributes of a Cause and without the count of redrives.
func (l Letter) Payload() []byte {
	value := l.Record.Value
	if !structured(value) {
		return value
	}
	return rewrite(value, func(key, v []byte) bool { return ours(key, v) || string(key) == CountAttribute }, nil)
}

// again is the record that a redrive produces: to the topic that the letter came from,
// on its partition if that is below partitions, else with a negative partition, which
// leaves it to the key. Key and event are the letter's; one without a key gets the
// event's partitionkey. What made it a dead letter is gone, and the count of redrives
// is one higher. It has no timestamp yet: an old one could fall to the topic's
// retention at once.
func (l Letter) again(partitions int) *kgo.Record {
	count := positive(int64(l.Redrives) + 1)
	r := &kgo.Record{Topic: l.Origin.Topic, Partition: -1, Key: l.key(), Value: l.Record.Value, Headers: l.headers(count)}
	if l.Origin.Partition >= 0 && int(l.Origin.Partition) < partitions {
		r.Partition = l.Origin.Partition
	}
	if structured(r.Value) {
		add := []member{{CountAttribute, count}}
		r.Value = rewrite(r.Value, func(key, value []byte) bool {
			misnamed := string(key) == "topic" && scalar(value) == l.Record.Topic // Dapr names the topic it publishes to
			if misnamed {
				add = append(add, member{"topic", l.Origin.Topic})
			}
			return misnamed || ours(key, value) || string(key) == CountAttribute
		}, nil)
		r.Value = rewrite(r.Value, func(_, _ []byte) bool { return false }, add)
	}
	return r
}

func (l Letter) key() []byte {
	if l.Record.Key != nil || l.partitionKey == "" {
		return l.Record.Key
	}
	return []byte(l.partitionKey)
}

// headers are those of the letter without what Dapr and the dead letter's writer added,
// and with the count.
func (l Letter) headers(count string) []kgo.RecordHeader {
	binary := false
	headers := make([]kgo.RecordHeader, 0, len(l.Record.Headers)+2)
	for _, h := range l.Record.Headers {
		name := strings.ToLower(h.Key)
		binary = binary || name == cePrefix+"specversion"
		attr, isAttr := strings.CutPrefix(name, cePrefix)
		if strings.HasPrefix(name, headerPrefix) || isDapr(h.Key) || isAttr && (ours([]byte(attr), nil) || attr == CountAttribute) {
			continue
		}
		headers = append(headers, h)
	}
	if binary {
		headers = append(headers, kgo.RecordHeader{Key: cePrefix + CountAttribute, Value: []byte(count)})
	}
	return append(headers, kgo.RecordHeader{Key: CountHeader, Value: []byte(count)})
}

// isDapr tells of the headers that Dapr's Kafka component makes of a message's metadata
// when it publishes the copy for a dead letter topic. Kept, they would hide the true
// ones from the next consumer behind Dapr (components-contrib 1.18, GetEventMetadata).
func isDapr(header string) bool {
	switch header {
	case "__key", "__topic", "__partition", "__offset", "__timestamp", "pubsubName":
		return true
	}
	return false
}
