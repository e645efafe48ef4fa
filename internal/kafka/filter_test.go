package kafka_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

func where(t testing.TB, expr string) *kafka.Where {
	t.Helper()
	w, err := kafka.CompileWhere(expr)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// kinds are one record of every shape that an event comes in, by name.
func kinds() []*kgo.Record {
	shapes := []struct {
		name, key, value string
		headers          []kgo.RecordHeader
	}{
		{"structured", "123", event, nil},
		{"spaced", "123", "\n" + `{ "type" : "task.created", "specversion" : "1.0", "data" : { "task_id" : 123 } }` + "\n", nil},
		{"escaped", "", `{"specversion":"1.0","type":"task\u002ecr\u0065ated","data":{"task_id":"\u0031\u0032\u0033"}}`, nil},
		{"base64", "", `{"specversion":"1.0","type":"x","data_base64":"eyJldmVudF90eXBlIjoiY3JlYXRlZCIsInRhc2tfaWQiOjEyM30="}`, nil},
		{"binary", "123", `{"event_type":"task_created"}`, []kgo.RecordHeader{header("ce_specversion", "1.0"), header("ce_type", "task.created"), header("ce_partitionkey", "k/1")}},
		{"guide", "", `{"event_type":"task_created","data":{"task_id":123}}`, nil},
		{"short", "", `{"event_type":"created","task_id":"123"}`, nil},
		{"subject", "", `{"specversion":"1.0","type":"task.deleted","subject":"tasks/123","partitionkey":"k/1"}`, nil},
		{"other task", "123", `{"specversion":"1.0","type":"task.updated","subject":"tasks/123","data":{"task_id":1234}}`, nil},
		{"mentions", "9", `{"specversion":"1.0","type":"task.updated","data":{"title":"created","note":123}}`, []kgo.RecordHeader{header("source", "task.created")}},
		{"text", "", "task.created 123", nil},
		{"tombstone", "123", "", nil},
	}
	records := make([]*kgo.Record, len(shapes))
	for i, s := range shapes {
		r := record(0, i, s.value)
		r.Headers = slices.Concat(s.headers, []kgo.RecordHeader{header("name", s.name)})
		if r.Key = []byte(s.key); s.key == "" {
			r.Key = nil
		}
		if s.value == "" {
			r.Value = nil
		}
		records[i] = r
	}
	return records
}

func TestFilter(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), kinds()...)
	one, absent := "task.created", "no"
	for _, tt := range []struct {
		name   string
		filter kafka.Filter
		want   string
	}{
		{"dots", kafka.Filter{Types: []string{"task.created"}}, "structured spaced escaped base64 binary guide short"},
		{"underscores", kafka.Filter{Types: []string{"task_created"}}, "structured spaced escaped base64 binary guide short"},
		{"last word", kafka.Filter{Types: []string{"created"}}, "structured spaced escaped base64 binary guide short"},
		{"several types", kafka.Filter{Types: []string{"deleted", "task_updated"}}, "subject other task mentions"},
		{"no such type", kafka.Filter{Types: []string{"reated"}}, ""},
		{"another noun", kafka.Filter{Types: []string{"reminder.created"}}, "base64 short"},
		{"task", kafka.Filter{Tasks: []string{"123"}}, "structured spaced escaped base64 binary guide short subject tombstone"},
		{"longer number", kafka.Filter{Tasks: []string{"1234"}}, "other task"},
		{"task and type", kafka.Filter{Types: []string{"deleted"}, Tasks: []string{"123", "9"}}, "subject"},
		{"key", kafka.Filter{Keys: []string{"123"}}, "structured spaced binary other task tombstone"},
		{"partitionkey", kafka.Filter{Keys: []string{"k/1"}}, "binary subject"},
		{"header", kafka.Filter{Headers: []kafka.HeaderFilter{{Key: "source", Value: &one}}}, "mentions"},
		{"header is there", kafka.Filter{Headers: []kafka.HeaderFilter{{Key: "ce_partitionkey"}}}, "binary subject"},
		{"attribute", kafka.Filter{Headers: []kafka.HeaderFilter{{Key: "ce_type", Value: &one}}}, "structured spaced escaped binary"},
		{"no such header", kafka.Filter{Headers: []kafka.HeaderFilter{{Key: "source", Value: &absent}}}, ""},
		{"grep text", kafka.Filter{Grep: regexp.MustCompile("created")}, "structured spaced base64 binary guide short mentions text"},
		{"grep pattern", kafka.Filter{Grep: regexp.MustCompile("^k/|^task")}, "binary mentions text"},
		{"grep header name", kafka.Filter{Grep: regexp.MustCompile("^source$")}, "mentions"},
		{"since", kafka.Filter{Since: epoch.Add(10 * time.Second)}, "text tombstone"},
		{"until", kafka.Filter{Until: epoch.Add(2 * time.Second)}, "structured spaced"},
		{"where", kafka.Filter{Where: where(t, `data.task_id == 123 && event.type.startsWith("task")`)}, "spaced"},
		{"where and type", kafka.Filter{Types: []string{"deleted"}, Where: where(t, `headers["name"] == "subject"`)}, "subject"},
		{"where binary", kafka.Filter{Where: where(t, `has(event.partitionkey)`)}, "binary subject"},
		{"where null", kafka.Filter{Where: where(t, `value == null && key == "123" && type == "" && offset == 11 && partition == 0 && topic == "t"`)}, "tombstone"},
		{"where time", kafka.Filter{Where: where(t, `timestamp >= timestamp("2026-02-17T12:00:11Z")`)}, "tombstone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			equal(t, names(t, o, kafka.TailOptions{ExitAtEnd: true, Filter: tt.filter}), tt.want)
		})
	}
	t.Run("with last and num", func(t *testing.T) {
		f := kafka.Filter{Types: []string{"created"}}
		equal(t, names(t, o, kafka.TailOptions{ExitAtEnd: true, Filter: f, Last: 2}), "guide short")
		equal(t, names(t, o, kafka.TailOptions{ExitAtEnd: true, Filter: f, Num: 2}), "structured spaced")
	})
}

// names are those of the records, of kinds, that a tail emits.
func names(t *testing.T, o kafka.Options, opts kafka.TailOptions) string {
	t.Helper()
	opts.Topics = []string{"t"}
	var got []byte
	err := kafka.Tail(t.Context(), o, opts, func(records []*kgo.Record) error {
		for _, r := range records {
			got = fmt.Appendf(got, " %s", r.Headers[len(r.Headers)-1].Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 {
		return ""
	}
	return string(got[1:])
}

func TestFilterLooksBackForTheLast(t *testing.T) {
	_, o := cluster(t, 2)
	cl := client(t, o, manual())
	var records []*kgo.Record
	for i := range 3000 {
		r := record(int32(i%2), i, fmt.Sprint("v", i))
		if i%1000 == 0 {
			r.Key = []byte("k")
		}
		records = append(records, r)
	}
	produce(t, cl, records...)
	seen := 0
	got := tailed(t, o, kafka.TailOptions{
		ExitAtEnd: true, Last: 2, Filter: kafka.Filter{Keys: []string{"k"}}, Seen: func(n int) { seen += n },
	})
	equal(t, got, []string{"v1000", "v2000"})
	if seen > 3000 {
		t.Errorf("read %d records, of 3000", seen)
	}
}

func TestWhereErrors(t *testing.T) {
	for expr, want := range map[string]string{
		`tpye == "x"`:            `line 1, column 1: undeclared reference to 'tpye'`,
		`type == `:               `line 1, column 9: Syntax error: `,
		`key == "é" && tpye`:     `line 1, column 15: undeclared reference to 'tpye'`,
		`offset + 1`:             `line 1, column 1: is a int, not true or false`,
		"true &&\n nothing":      `line 2, column 2: undeclared reference to 'nothing'`,
		`type.matches("[")`:      `line 1, column 1: error parsing regexp: missing closing ]: `,
		`partition == "0"`:       `line 1, column 11: found no matching overload for '_==_' applied to '(int, string)'`,
		``:                       `line 1, column 1: Syntax error: `,
		`"a" + "b" == "ab" && 1`: `line 1, column 22: expected type 'bool' but found 'int'`,
	} {
		_, err := kafka.CompileWhere(expr)
		if err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
			t.Errorf("%s: got %v", expr, err)
		}
	}
}

func TestWhereCountsFailures(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), record(0, 0, "{}"), record(0, 1, `{"a":1}`), record(0, 2, `{"a":"x"}`), record(0, 3, `{"a":true}`))
	w := where(t, `data.a`)
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Filter: kafka.Filter{Where: w}}), []string{`{"a":true}`})
	n, first := w.Failures()
	if n != 3 || first.Error() != "t[0]@0: no such key: a" {
		t.Errorf("%d failures, the first: %v", n, first)
	}
}

func TestWhereKeepsIntegers(t *testing.T) {
	_, o := cluster(t, 1)
	produce(t, client(t, o, manual()), record(0, 0, `{"n":[9007199254740993]}`), record(0, 1, `{"n":[9007199254740992]}`))
	w := where(t, `data.n[0] == 9007199254740993`)
	equal(t, tailed(t, o, kafka.TailOptions{ExitAtEnd: true, Filter: kafka.Filter{Where: w}}), []string{`{"n":[9007199254740993]}`})
}
