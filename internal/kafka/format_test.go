package kafka_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

var update = flag.Bool("update", false, "write the golden files")

const event = `{"specversion":"1.0","id":"0198-1","source":"todo-backend","type":"task.created","subject":"tasks/123",` +
	`"time":"2026-02-17T12:00:00.123456Z","datacontenttype":"application/json","sequence":"7",` +
	`"data":{"event_type":"task.created","big":9007199254740993,"data":{"task_id":123,"title":"Buy groceries"}}}`

// samples are one record of every kind that a formatter treats in its own way.
func samples() []*kgo.Record {
	r := func(offset int64, key, value []byte, headers ...kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{
			Topic: "task-events", Partition: int32(offset % 3), Offset: offset, Key: key, Value: value, Headers: headers,
			Timestamp: epoch.Add(time.Duration(offset) * 1001 * time.Millisecond),
		}
	}
	h := func(key string, value []byte) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: value} }
	return []*kgo.Record{
		r(1, []byte("123"), []byte(event)),
		r(2, nil, []byte("no event")),
		r(3, []byte("123"), nil),
		r(4, []byte(""), []byte("")),
		r(5, []byte{0xff, 0}, []byte{0xfe, 'a', 0x1b, '[', '2', 'J'}),
		r(6, []byte("k"), []byte("v"), h("a", []byte("1")), h("a", []byte("2")), h("a", nil), h("bin", []byte{0x80}), h("\xff", []byte("x"))),
		r(7, []byte("7"), []byte("{\n  \"specversion\": \"1.0\",\n  \"type\": \"pretty.printed\",\n  \"data\": {\"title\": \"two\\nlines \\u001b[31m\"}\n}")),
		r(8, []byte("8"), []byte(` {"specversion":"1.0","type":"space.around","subject":"s"} `)),
		r(9, []byte("9"), []byte("{\"specversion\":\"1.0\",\"type\":\"c1\u009b31m\",\"data\":1}")),
		r(10, []byte("10"), []byte(`{"title":"binary mode"}`), h("ce_specversion", []byte("1.0")), h("ce_id", []byte("b1")), h("ce_type", []byte("task.updated"))),
		r(11, []byte("11"), []byte(`{"specversion":"1.0","type":"b64","data_base64":"aGVsbG8="}`)),
		r(12, []byte("日本"), []byte("text \x1b]0;title\x07 \u202e reordered \u009b31m é 日本語 😀\r\n\t"+strings.Repeat("x", 60))),
		r(13, []byte("13"), []byte(`{"specversion":"1.0","id":"truncated`)),
		r(1123456789, []byte(strings.Repeat("long-key-", 8)), []byte(event)),
	}
}

func TestJSONGolden(t *testing.T) {
	var f kafka.JSONFormatter
	var out []byte
	for _, r := range samples() {
		out = f.AppendJSON(out, r)
	}
	golden(t, "records.jsonl", out)
}

func TestJSONRawAndMetaGolden(t *testing.T) {
	for name, f := range map[string]*kafka.JSONFormatter{"records-raw.jsonl": {Raw: true}, "records-meta.jsonl": {MetaOnly: true}} {
		var out []byte
		for _, r := range samples() {
			out = f.AppendJSON(out, r)
			if f.Raw {
				sameRecord(t, read(t, f.AppendJSON(nil, r)), r)
			}
		}
		golden(t, name, out)
	}
}

func TestTextGolden(t *testing.T) {
	for name, f := range map[string]*kafka.TextFormatter{
		"records.txt":        {},
		"records-color.txt":  {Color: true},
		"records-raw.txt":    {Raw: true},
		"records-meta.txt":   {MetaOnly: true, Color: true},
		"records-narrow.txt": {Width: 80, Location: time.FixedZone("CET", 3600)},
	} {
		var out []byte
		for _, r := range samples() {
			out = f.AppendText(out, r)
		}
		golden(t, name, out)
	}
}

func TestTextIsSafe(t *testing.T) {
	var f kafka.TextFormatter
	for _, r := range samples() {
		line := f.AppendText(nil, r)
		if !utf8.Valid(line) {
			t.Errorf("offset %d: not UTF-8: %q", r.Offset, line)
		}
		for _, c := range string(line[:len(line)-1]) {
			if c < 0x20 || 0x7f <= c && c < 0xa0 || c == 0x202e {
				t.Errorf("offset %d: %U in %q", r.Offset, c, line)
			}
		}
	}
}

func TestAppendValue(t *testing.T) {
	got := kafka.AppendValue([]byte("a"), &kgo.Record{Value: []byte{0xff, 0}})
	equal(t, got, []byte{'a', 0xff, 0, '\n'})
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, string(got), string(want))
}

// line is what a reader takes from a line of AppendJSON: all that there is to
// produce the record again.
type line struct {
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time
	Key       *string
	KeyB64    *string `json:"key_base64"`
	Headers   []struct {
		Key      *string
		KeyB64   *string `json:"key_base64"`
		Value    *string
		ValueB64 *string `json:"value_base64"`
	}
	Event    json.RawMessage
	Value    *string
	ValueB64 *string `json:"value_base64"`
}

func bytesOf(t *testing.T, s, b64 *string) []byte {
	switch {
	case b64 != nil:
		b, err := base64.StdEncoding.DecodeString(*b64)
		if err != nil || s != nil {
			t.Errorf("both of %v and %v: %v", s, b64, err)
		}
		return b
	case s != nil:
		return []byte(*s)
	}
	return nil
}

func read(t *testing.T, data []byte) *kgo.Record {
	t.Helper()
	if i := bytes.IndexByte(data, '\n'); i != len(data)-1 {
		t.Fatalf("a line break at %d of %q", i, data)
	}
	var l line
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatalf("%v: %q", err, data)
	}
	r := &kgo.Record{Topic: l.Topic, Partition: l.Partition, Offset: l.Offset, Timestamp: l.Timestamp}
	r.Key = bytesOf(t, l.Key, l.KeyB64)
	r.Value = bytesOf(t, l.Value, l.ValueB64)
	if l.Event != nil {
		if r.Value != nil {
			t.Errorf("a value and an event: %q", data)
		}
		r.Value = l.Event
	}
	for _, h := range l.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: string(bytesOf(t, h.Key, h.KeyB64)), Value: bytesOf(t, h.Value, h.ValueB64)})
	}
	return r
}

func sameRecord(t *testing.T, got, want *kgo.Record) {
	t.Helper()
	// cmp tells nil from empty, which is the difference between a tombstone and an empty value.
	opts := cmp.Options{cmpopts.IgnoreUnexported(kgo.Record{}), cmpopts.IgnoreFields(kgo.Record{}, "Attrs", "Context")}
	if diff := cmp.Diff(want, got, opts); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestJSONLosesNothing(t *testing.T) {
	var f kafka.JSONFormatter
	for _, r := range samples() {
		sameRecord(t, read(t, f.AppendJSON(nil, r)), r)
	}
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	r := &kgo.Record{Timestamp: time.UnixMilli(-12345).UTC(), Value: []byte(`{"specversion":"1.0","data":` + deep + "}")}
	sameRecord(t, read(t, f.AppendJSON(nil, r)), r)
}

func FuzzAppendJSON(f *testing.F) {
	for _, r := range samples() {
		name, value := "h", []byte("v")
		if len(r.Headers) > 0 {
			name, value = r.Headers[0].Key, r.Headers[0].Value
		}
		f.Add(r.Key, r.Value, name, value, r.Timestamp.UnixMilli())
	}
	f.Fuzz(func(t *testing.T, key, value []byte, header string, hvalue []byte, milli int64) {
		const year = 365 * 24 * 3600 * 1000
		r := &kgo.Record{
			Topic: "t", Key: key, Value: value, Timestamp: time.UnixMilli(milli % (200 * year)).UTC(),
			Headers: []kgo.RecordHeader{{Key: header, Value: hvalue}},
		}
		var jf kafka.JSONFormatter
		data := jf.AppendJSON(nil, r)
		if !json.Valid(data) || !utf8.Valid(data) {
			t.Fatalf("not JSON: %q", data)
		}
		sameRecord(t, read(t, data), r)

		tf := kafka.TextFormatter{Width: 60}
		text := tf.AppendText(nil, r)
		if bytes.ContainsFunc(text[:len(text)-1], func(c rune) bool { return c < 0x20 || 0x7f <= c && c < 0xa0 || c == utf8.RuneError }) && !bytes.ContainsRune(append(key, value...), utf8.RuneError) {
			t.Errorf("unsafe: %q", text)
		}
	})
}

// What is produced comes out of a tail's JSON again, whatever the broker holds it as.
func TestTailLosesNothing(t *testing.T) {
	_, o := cluster(t, 1, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "2000000"}))
	records := append(samples(), &kgo.Record{Key: []byte("big"), Value: bytes.Repeat([]byte{0xfe, 'x'}, 500_000), Timestamp: epoch})
	for i, r := range records {
		r.Topic, r.Partition, r.Offset = "t", 0, int64(i)
		sent := *r
		produce(t, client(t, o, manual(), kgo.ProducerBatchMaxBytes(2_000_000)), &sent)
	}
	for _, f := range []kafka.JSONFormatter{{}, {Raw: true}} {
		var got []*kgo.Record
		err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, ExitAtEnd: true}, func(rs []*kgo.Record) error {
			for _, r := range rs {
				got = append(got, read(t, f.AppendJSON(nil, r)))
			}
			return nil
		})
		if err != nil || len(got) != len(records) {
			t.Fatalf("%d of %d records: %v", len(got), len(records), err)
		}
		for i, r := range got {
			sameRecord(t, r, records[i])
		}
	}
}
