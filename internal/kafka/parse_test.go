package kafka_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// what of a record a line holds.
type content struct {
	Topic     string
	Partition int32
	Time      time.Time
	Key       []byte
	Value     []byte
	Headers   []kgo.RecordHeader
}

func contentOf(r *kgo.Record) content {
	return content{r.Topic, r.Partition, r.Timestamp.UTC().Truncate(time.Millisecond), r.Key, r.Value, r.Headers}
}

func TestParseJSONIsTheInverseOfAppendJSON(t *testing.T) {
	var f kafka.JSONFormatter
	for _, r := range samples() {
		line := bytes.TrimSuffix(f.AppendJSON(nil, r), []byte("\n"))
		var got kgo.Record
		if err := kafka.ParseJSON(line, &got); err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		equal(t, contentOf(&got), contentOf(r))
	}
}

func TestParseJSONRefuses(t *testing.T) {
	for line, want := range map[string]string{
		`[]`:                                                         "no JSON object",
		`{"topic":"t","value":"v"`:                                   "no JSON object",
		`{"value":"v"}`:                                              "has no topic",
		`{"topic":7,"value":"v"}`:                                    "topic: must be a string, is 7",
		`{"topic":"t"}`:                                              "exactly one of",
		`{"topic":"t","value":"v","event":{}}`:                       "exactly one of",
		`{"topic":"t","value":7}`:                                    "value: must be a string",
		`{"topic":"t","value_base64":"x"}`:                           "value_base64: is no base64",
		`{"topic":"t","value":"v","partition":"0"}`:                  "partition: ",
		`{"topic":"t","value":"v","timestamp":"noon"}`:               "timestamp: must be a time",
		`{"topic":"t","value":"v","headers":{}}`:                     "headers: must be a list",
		`{"topic":"t","value":"v","headers":[1]}`:                    "headers: must be objects",
		`{"topic":"t","value":"v","headers":[{"key":null}]}`:         "headers: must be a string, is null",
		`{"topic":"t","value":"v","headers":[{"value_base64":"x"}]}`: "headers: is no base64",
	} {
		if err := kafka.ParseJSON([]byte(line), new(kgo.Record)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", line, err, want)
		}
	}
}

// A line that is taken is written back as a line of the same content.
func FuzzParseJSON(f *testing.F) {
	var formatter kafka.JSONFormatter
	for _, r := range samples() {
		f.Add(bytes.TrimSuffix(formatter.AppendJSON(nil, r), []byte("\n")))
	}
	f.Add([]byte(`{"topic":"t","timestamp":null,"headers":[{"key":"a","value":null}],"value":""}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var first, second kgo.Record
		if kafka.ParseJSON(line, &first) != nil {
			return
		}
		if y := first.Timestamp.UTC().Year(); y < 0 || y > 9999 {
			return // RFC 3339 has no other years
		}
		var formatter kafka.JSONFormatter
		again := bytes.TrimSuffix(formatter.AppendJSON(nil, &first), []byte("\n"))
		if err := kafka.ParseJSON(again, &second); err != nil {
			t.Fatalf("%s\nwritten as\n%s: %v", line, again, err)
		}
		equal(t, contentOf(&second), contentOf(&first))
	})
}
