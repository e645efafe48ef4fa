package dlq

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

const event = `{"specversion":"1.0", "id":"e1","source":"s","type":"task.created","partitionkey":"7","big":9007199254740993,"data":{"topic":"x","dlqreason":"mine"}}`

func at(topic string) Place { return Place{Topic: topic, Partition: 2, Offset: 41} }

func cause() Cause {
	return Cause{
		Reason: "invalid", Error: "no \"title\"\n", Attempts: 5, Consumer: "reminder-worker", Origin: at("task-events"),
		First: time.Date(2026, 2, 17, 12, 0, 0, 5, time.UTC), Last: time.Date(2026, 2, 17, 12, 1, 0, 0, time.UTC),
	}
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// Both forms say the same, and the event is the same afterwards.
func TestCauseComesBack(t *testing.T) {
	attached, err := cause().Attach([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]*kgo.Record{
		"attributes": {Topic: "task-events-dlq", Value: attached},
		"headers":    {Topic: "task-events-dlq", Value: []byte(event), Headers: cause().Headers()},
	} {
		l := Parse(r)
		equal(t, l.Cause, cause())
		if !l.IsEvent || l.Event.ID != "e1" || l.Redrives != 0 {
			t.Errorf("%s: %+v", name, l)
		}
		equal(t, strings.ReplaceAll(event, " ", ""), strings.ReplaceAll(string(l.Payload()), " ", ""))
	}
	again, err := Cause{Reason: "timeout"}.Attach(attached)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, Parse(&kgo.Record{Topic: "t-dlq", Value: again}).Cause, Cause{Reason: "timeout", Origin: Place{"t", -1, -1}})
	if _, err := cause().Attach([]byte(`{"a":1}`)); !errors.Is(err, ErrNotEvent) {
		t.Errorf("attached to what is no event: %v", err)
	}
}

func TestBoundedTexts(t *testing.T) {
	long := Cause{Reason: strings.Repeat("é", 200), Error: "\xff" + strings.Repeat("é", 5000)}
	for _, h := range long.Headers() {
		if len(h.Value) > MaxError || !utf8.Valid(h.Value) {
			t.Errorf("%s has %d bytes", h.Key, len(h.Value))
		}
	}
	if l := Parse(&kgo.Record{Topic: "t-dlq", Headers: []kgo.RecordHeader{header("todoctl-dlq-error", strings.Repeat("x", 9999))}}); len(l.Error) > MaxError {
		t.Errorf("an error of %d bytes was read", len(l.Error))
	}
}

func TestParse(t *testing.T) {
	tests := map[string]struct {
		record   kgo.Record
		reason   string
		origin   Place
		redrives int
	}{
		"Dapr's copy": {
			kgo.Record{Value: []byte(event), Headers: []kgo.RecordHeader{header("__topic", "reminders"), header("__partition", "1"), header("__offset", "9")}},
			ReasonUnknown, Place{"reminders", 1, 9}, 0,
		},
		"an attribute tells the topic": {
			kgo.Record{Value: []byte(`{"specversion":"1.0","topic":"reminders","redrivecount":2}`)},
			ReasonUnknown, Place{"reminders", -1, -1}, 2,
		},
		"published through Dapr": {
			kgo.Record{Value: []byte(`{"specversion":"1.0","topic":"task-events-dlq","dlqreason":"x","redrivecount":"1"}`)},
			"x", Place{"task-events", -1, -1}, 1,
		},
		"numbers": {
			kgo.Record{Value: []byte(`{"specversion":"1.0","dlqtopic":"a","dlqpartition":3,"dlqoffset":4}`)},
			ReasonUnknown, Place{"a", 3, 4}, 0,
		},
		"binary mode": {
			kgo.Record{Value: []byte(`{"topic":"data's"}`), Headers: []kgo.RecordHeader{header("ce_specversion", "1.0"), header("ce_dlqreason", "y"), header("ce_redrivecount", "3")}},
			"y", Place{"task-events", -1, -1}, 3,
		},
		"poison": {kgo.Record{Value: []byte{0xff}}, ReasonNotEvent, Place{"task-events", -1, -1}, 0},
		"poison with a header": {
			kgo.Record{Value: []byte("{"), Headers: []kgo.RecordHeader{header("todoctl-dlq-reason", "bad JSON"), header(CountHeader, "1")}},
			"bad JSON", Place{"task-events", -1, -1}, 1,
		},
		"tombstone": {kgo.Record{}, ReasonNotEvent, Place{"task-events", -1, -1}, 0},
		"nonsense": {
			kgo.Record{Headers: []kgo.RecordHeader{header("todoctl-dlq-topic", "a"), header("todoctl-dlq-partition", "-1"), header("todoctl-dlq-offset", "z"), header(CountHeader, "-4")}},
			ReasonNotEvent, Place{"a", -1, -1}, 0,
		},
		"from itself": {
			kgo.Record{Headers: []kgo.RecordHeader{header("todoctl-dlq-topic", "task-events-dlq")}},
			ReasonNotEvent, Place{"task-events", -1, -1}, 0,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.record.Topic = "task-events-dlq"
			l := Parse(&tt.record)
			equal(t, l.Reason, tt.reason)
			equal(t, l.Origin, tt.origin)
			equal(t, l.Redrives, tt.redrives)
		})
	}
}

// What goes back is the event, without what made it a dead letter.
func TestAgain(t *testing.T) {
	attached, err := cause().Attach([]byte(strings.Replace(event, `"id"`, `"topic":"task-events-dlq","redrivecount":"1","id"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	r := Parse(&kgo.Record{Topic: "task-events-dlq", Key: []byte("7"), Value: attached, Headers: []kgo.RecordHeader{
		header("app", "a"), header("__offset", "3"), header("pubsubName", "p"), header("todoctl-dlq-reason", "r"), header("ce_dlqreason", "r"),
	}}).again(3)
	want := `{"specversion":"1.0","id":"e1","source":"s","type":"task.created","partitionkey":"7","big":9007199254740993,` +
		`"data":{"topic":"x","dlqreason":"mine"},"redrivecount":"2","topic":"task-events"}`
	equal(t, string(r.Value), want)
	equal(t, r.Headers, []kgo.RecordHeader{header("app", "a"), header(CountHeader, "2")})
	equal(t, []any{r.Topic, r.Partition, string(r.Key)}, []any{"task-events", int32(2), "7"})
	equal(t, Parse(&kgo.Record{Topic: "t-dlq", Value: r.Value}).Redrives, 2)

	for name, l := range map[string]struct {
		record    kgo.Record
		partition int32
		key       any
	}{
		"a partition that is gone": {kgo.Record{Key: []byte("k"), Headers: Cause{Origin: Place{"task-events", 3, 0}}.Headers()}, -1, []byte("k")},
		"without key":              {kgo.Record{Value: []byte(event)}, -1, []byte("7")},
		"no event":                 {kgo.Record{Value: []byte{0xff}}, -1, []byte(nil)},
	} {
		l.record.Topic = "task-events-dlq"
		again := Parse(&l.record).again(3)
		if again.Partition != l.partition || !cmp.Equal(any(again.Key), l.key) {
			t.Errorf("%s: partition %d, key %q", name, again.Partition, again.Key)
		}
	}
	if poison := Parse(&kgo.Record{Topic: "t-dlq", Value: []byte("{")}).again(1); string(poison.Value) != "{" {
		t.Errorf("poison has become %q", poison.Value)
	}
	binary := Parse(&kgo.Record{Topic: "t-dlq", Value: []byte("v"), Headers: []kgo.RecordHeader{header("ce_specversion", "1.0"), header("ce_redrivecount", "1")}}).again(1)
	equal(t, binary.Headers, []kgo.RecordHeader{header("ce_specversion", "1.0"), header("ce_redrivecount", "2"), header(CountHeader, "2")})
}

func TestPlaces(t *testing.T) {
	p, ok := ParsePlace("a[b]-dlq[1]@42")
	if want := (Place{"a[b]-dlq", 1, 42}); !ok || p != want || p.String() != "a[b]-dlq[1]@42" {
		t.Errorf("%v", p)
	}
	for _, s := range []string{"", "[1]@2", "a[1]@", "a[-1]@2", "a[1]@x", "a1]@2", "0198c0f4-7a3e-7cc2-8a55-0d6f1b3f2a10"} {
		if p, ok := ParsePlace(s); ok {
			t.Errorf("%q is %v", s, p)
		}
	}
}

// Whatever a record holds, reading it and producing it again keeps to what is promised.
func FuzzParse(f *testing.F) {
	attached, err := cause().Attach([]byte(event))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(attached, "todoctl-dlq-reason", "x")
	f.Add([]byte(event), "__topic", "y")
	f.Add([]byte(`{"specversion":"1.0","dlqoffset":1e9,"topic":"t-dlq"}`), "ce_dlqoffset", "-1")
	f.Add([]byte{0xff, '{'}, "todoctl-dlq-redrive-count", "99999999999")
	f.Fuzz(func(t *testing.T, value []byte, key, said string) {
		l := Parse(&kgo.Record{Topic: "t-dlq", Value: value, Headers: []kgo.RecordHeader{header(key, said)}})
		if l.Reason == "" || len(l.Reason) > MaxReason || len(l.Error) > MaxError || l.Origin.Topic == "t-dlq" || l.Redrives < 0 || l.Attempts < 0 {
			t.Fatalf("%+v", l)
		}
		r := l.again(4)
		if r.Partition >= 4 || len(r.Headers) == 0 {
			t.Fatalf("%+v", r)
		}
		again := Parse(&kgo.Record{Topic: "t-dlq", Value: r.Value, Headers: r.Headers})
		if again.Redrives != l.Redrives+1 || again.IsEvent != l.IsEvent || again.Event.ID != l.Event.ID {
			t.Fatalf("again %+v of %+v", again, l)
		}
		if again.IsEvent && again.Reason != ReasonUnknown {
			t.Fatalf("again it has the reason %q", again.Reason)
		}
		if !structured(value) {
			if string(r.Value) != string(value) {
				t.Fatalf("%q has become %q", value, r.Value)
			}
			return
		}
		dead, err := l.Attach(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if twice := Parse(&kgo.Record{Topic: "t-dlq", Value: dead}); twice.Reason != l.Reason || twice.Redrives != again.Redrives {
			t.Fatalf("twice %+v of %+v", twice, l)
		}
	})
}
