package input

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// drain returns what a source gives, each entry as "place key value" or its error.
func drain(t testing.TB, s Source) []string {
	t.Helper()
	var got []string
	for {
		e, err := s.Next()
		var wrong *PlaceError
		switch {
		case errors.Is(err, io.EOF):
			return got
		case errors.As(err, &wrong):
			got = append(got, err.Error())
		case err != nil:
			return append(got, "end: "+err.Error())
		default:
			got = append(got, fmt.Sprintf("%s %q %q", e.Place, e.Record.Key, e.Record.Value))
		}
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%.3000s", what, diff)
	}
}

// However the reads fall, the lines are the same.
func TestLinesAreSplitWhereTheyEnd(t *testing.T) {
	long := strings.Repeat("y", 3*blockSize)
	text := "a\n\n" + long + "\r\nb\x00\xff\n" + strings.Repeat("x", blockSize-1) + "\nlast"
	want := []string{
		`line 1 "" "a"`, `line 2 "" ""`, fmt.Sprintf(`line 3 "" "%s\r"`, long), `line 4 "" "b\x00\xff"`,
		fmt.Sprintf(`line 5 "" "%s"`, strings.Repeat("x", blockSize-1)), `line 6 "" "last"`,
	}
	for name, r := range map[string]io.Reader{
		"whole":    strings.NewReader(text),
		"halves":   iotest.HalfReader(strings.NewReader(text)),
		"data+EOF": iotest.DataErrReader(strings.NewReader(text)),
		"ahead":    Until(t.Context(), iotest.HalfReader(strings.NewReader(text))),
	} {
		equal(t, name, drain(t, NewLines(r, "", Raw, &Maker{Topic: "t"})), want)
	}
	bytewise := drain(t, NewLines(iotest.OneByteReader(strings.NewReader("a\nbc\n\nd\n")), "f", Raw, &Maker{Topic: "t"}))
	equal(t, "bytes", bytewise, []string{`f:1 "" "a"`, `f:2 "" "bc"`, `f:3 "" ""`, `f:4 "" "d"`})
}

func TestLinesThatAreTooLongAreNamed(t *testing.T) {
	text := "1\n" + strings.Repeat("x", MaxLine+blockSize+1) + "\n2\n" + strings.Repeat("x", MaxLine+blockSize+1)
	got := drain(t, NewLines(strings.NewReader(text), "f", Raw, &Maker{Topic: "t"}))
	equal(t, "lines", got, []string{
		`f:1 "" "1"`, "f:2: is longer than 8388608 bytes, the most that is taken", `f:3 "" "2"`,
		"f:4: is longer than 8388608 bytes, the most that is taken",
	})
}

func TestErrorsOfTheReaderEndIt(t *testing.T) {
	r := io.MultiReader(strings.NewReader("1\nhal"), iotest.ErrReader(errors.New("disk on fire")))
	got := drain(t, NewLines(r, "f", Raw, &Maker{Topic: "t"}))
	equal(t, "lines", got, []string{`f:1 "" "1"`, "end: read f: disk on fire"})
}

// The lines that were given out stay as they are while others are read.
func TestLinesAreNotOverwritten(t *testing.T) {
	var text strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&text, "line %d\n", i+1)
	}
	source := NewLines(iotest.HalfReader(strings.NewReader(text.String())), "", Raw, &Maker{Topic: "t"})
	var entries []*Entry
	for {
		e, err := source.Next()
		if err != nil {
			break
		}
		entries = append(entries, e)
	}
	for _, e := range entries {
		if got := string(e.Record.Value); got != e.Place.String() {
			t.Fatalf("%s became %q", e.Place, got)
		}
	}
	if len(entries) != 100_000 {
		t.Errorf("%d lines", len(entries))
	}
}

func TestUntilEndsWithItsContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	source := NewLines(Until(ctx, r), "", Raw, &Maker{Topic: "t"})
	if _, err := w.WriteString("1\n"); err != nil {
		t.Fatal(err)
	}
	if e, err := source.Next(); err != nil || string(e.Record.Value) != "1" {
		t.Fatalf("%v, %v", e, err)
	}
	cancel()
	if _, err := source.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

func TestEventsKeepTheirBytes(t *testing.T) {
	key, err := ParseTemplate("k{{seq}}")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		maker      Maker
		line       string
		key, value string // value with ID for the new id
		problem    string
	}{
		"as it is":     {Maker{}, ` {"type" : "x","id":"1", "specversion":"1.0","source":"s","partitionkey":"7","data":1.0e2}`, "7", `{"type" : "x","id":"1", "specversion":"1.0","source":"s","partitionkey":"7","data":1.0e2}`, ""},
		"own key":      {Maker{Key: key}, `{"type":"x","id":"1","specversion":"1.0","source":"s","partitionkey":"7"}`, "k1", `{"type":"x","id":"1","specversion":"1.0","source":"s","partitionkey":"7"}`, ""},
		"escaped key":  {Maker{}, `{"type":"x","id":"1","specversion":"1.0","source":"s","partitionkey":"\u0037"}`, "7", `{"type":"x","id":"1","specversion":"1.0","source":"s","partitionkey":"\u0037"}`, ""},
		"without id":   {Maker{Source: "me"}, `{"type":"x","specversion":"1.0","source":"s"}`, "", `{"id":"ID","type":"x","specversion":"1.0","source":"s"}`, ""},
		"without all":  {Maker{Source: "me", Type: "y"}, `{ "specversion":"1.0"}`, "", `{"id":"ID","source":"me","type":"y", "specversion":"1.0"}`, ""},
		"without type": {Maker{Source: "me"}, `{"specversion":"1.0"}`, "", "", "has a specversion but no type"},
		"type of 7":    {Maker{}, `{"specversion":"1.0","id":"1","source":"s","type":7}`, "", "", "its type is no text or empty"},
		"empty id":     {Maker{}, `{"specversion":"1.0","id":"","source":"s","type":"x"}`, "", "", "its id is no text or empty"},
		"no JSON":      {Maker{}, `{"a":`, "", "", "is no JSON: "},
		"not UTF-8":    {Maker{}, "{\"a\":\"\xff\"}", "", "", "is no JSON: it isn't UTF-8"},
		"too deep":     {Maker{}, `{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}", "", "", "is nested too deep"},
	} {
		tt.maker.Topic = "t"
		e, err := NewLines(strings.NewReader(tt.line), "", Auto, &tt.maker).Next()
		if tt.problem != "" {
			if err == nil || !strings.Contains(err.Error(), tt.problem) || !strings.HasPrefix(err.Error(), "line 1: ") {
				t.Errorf("%s: %v, want %s", name, err, tt.problem)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := strings.Replace(tt.value, "ID", e.ID(), 1); string(e.Record.Value) != want || string(e.Record.Key) != tt.key || !e.Event || e.ID() == "" {
			t.Errorf("%s: key %q, event %v, id %q\n%s, want\n%s", name, e.Record.Key, e.Event, e.ID(), e.Record.Value, want)
		}
	}
}

func TestDataBecomesAnEvent(t *testing.T) {
	for line, want := range map[string]struct {
		kind string
		data any
	}{
		`{"event_type":"task.sync","a":[1,{}]}`: {"task.sync", map[string]any{"event_type": "task.sync", "a": []any{1.0, map[string]any{}}}},
		`7`:                                     {"test", 7.0},
		`"specversion"`:                         {"test", "specversion"},
		`[{"specversion":"1.0"}]`:               {"test", []any{map[string]any{"specversion": "1.0"}}},
		`{"specversion":1}`:                     {"test", map[string]any{"specversion": 1.0}},
		`{"topic":"t","timestamp":""}`:          {"test", map[string]any{"topic": "t", "timestamp": ""}},
	} {
		e, err := NewLines(strings.NewReader(line), "", Auto, &Maker{Topic: "t", Source: "<me>"}).Next()
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(e.Record.Value, &got); err != nil {
			t.Fatalf("%s: %v", e.Record.Value, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(got["time"])); err != nil {
			t.Error(err)
		}
		delete(got, "time")
		equal(t, line, got, map[string]any{
			"specversion": "1.0", "id": e.ID(), "source": "<me>", "type": want.kind, "datacontenttype": "application/json", "data": want.data,
		})
		equal(t, line, e.Record.Headers, []kgo.RecordHeader{{Key: "content-type", Value: []byte(ContentType)}})
	}
}

func TestWrapAnyValue(t *testing.T) {
	for value, want := range map[string]string{
		`{"a":1}`:  `"datacontenttype":"application/json","partitionkey":"k","data":{"a":1}}`,
		"text\n":   `"datacontenttype":"text/plain","partitionkey":"k","data":"text\n"}`,
		"":         `"datacontenttype":"text/plain","partitionkey":"k","data":""}`,
		"\xff":     `"datacontenttype":"application/octet-stream","partitionkey":"k","data_base64":"/w=="}`,
		"\"\xff\"": `"datacontenttype":"application/octet-stream","partitionkey":"k","data_base64":"Iv8i"}`,
	} {
		e := &Entry{Record: kgo.Record{Key: []byte("k"), Value: []byte(value)}}
		(&Maker{Source: "me"}).Wrap(e)
		if !bytes.HasSuffix(e.Record.Value, []byte(want)) || !json.Valid(e.Record.Value) {
			t.Errorf("%q: %s", value, e.Record.Value)
		}
	}
}

func TestCSV(t *testing.T) {
	for name, tt := range map[string]struct {
		text, key string
		want      []string
	}{
		"types": {"\ufeffa,b:text,c\n1,1,\n-1.5e3,true,true\n01,,NaN\n 2,\"x\"\"y\",null\n", "", []string{
			`f:2 {"a":1,"b":"1"}`, `f:3 {"a":-1.5e3,"b":"true","c":true}`, `f:4 {"a":"01","c":"NaN"}`, `f:5 {"a":" 2","b":"x\"y","c":"null"}`,
		}},
		"lines":       {"a,b\n\"1\n2\",x\n\ny,z\n", "", []string{`f:2 {"a":"1\n2","b":"x"}`, `f:5 {"a":"y","b":"z"}`}},
		"short row":   {"a,b\n1\n2,3\n", "", []string{"f:2: doesn't have the 2 columns of the header", `f:3 {"a":2,"b":3}`}},
		"bare quote":  {"a\nx\"y\nz\n", "", []string{`f:2: column 2: bare " in non-quoted-field`, `f:3 {"a":"z"}`}},
		"not UTF-8":   {"a\n\xff\n", "", []string{`f:2: column "a" isn't UTF-8`}},
		"no header":   {"", "", []string{"f:1: has no header"}},
		"no name":     {"a,\n", "", []string{"f:1: column 2 has no name"}},
		"twice":       {"a,a:text\n", "", []string{`f:1: has two columns "a"`}},
		"no such key": {"a\n", "b", []string{`f:1: has no column "b", which --key-column names`}},
		"open quote":  {"a\n\"" + strings.Repeat("x\n", MaxLine), "", []string{"end: a row of f is longer than 8388608 bytes, the most that is taken; is a quote not closed?"}},
	} {
		source, err := NewCSV(strings.NewReader(tt.text), "f", tt.key, &Maker{Topic: "t"})
		if err != nil {
			equal(t, name, []string{err.Error()}, tt.want)
			continue
		}
		got := drain(t, source)
		for i, line := range got {
			if place, data, found := strings.Cut(line, ` "" "{`); found {
				_, data, _ = strings.Cut("{"+data, `\"data\":`)
				data = strings.TrimSuffix(data, `}"`)
				text, err := unquote(data)
				if err != nil {
					t.Fatal(err)
				}
				got[i] = place + " " + text
			}
		}
		equal(t, name, got, tt.want)
	}
}

func unquote(s string) (text string, err error) {
	return text, json.Unmarshal([]byte(`"`+s+`"`), &text)
}

func TestTemplates(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"plain } } {":               "plain } } {",
		`{"a":{"b":{}}}`:            `{"a":{"b":{}}}`,
		"a{{seq}}b{{ seq }}":        "a41b41",
		"{{randInt 3 3}}":           "3",
		`{{"{{"}}x{{"}}"}}`:         "{{x}}",
		"{{randInt -2 -2}}{{ seq}}": "-241",
	} {
		template, err := ParseTemplate(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := string(template.Append(nil, 41)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]string{
		"ä{{seq":             "column 2: {{ is not closed with }}",
		"{{seq}} {{uid}}":    "column 9: {{uid}} isn't known; there are {{uuid}}",
		"{{}}":               "column 1: {{}} is empty",
		"{{seq 1}}":          "{{seq 1}}: seq takes no arguments",
		"{{randInt 1}}":      "randInt takes the least and the most, or nothing",
		"{{randInt 2 1}}":    "2 is more than 1",
		"{{randInt a 1}}":    `"a" is no whole number`,
		"{{randInt 1 1e9}}":  `"1e9" is no whole number`,
		`{{printf "x"}}`:     "printf takes no arguments",
		"{{.}}":              "{{.}} isn't known",
		"{{range seq}}{{end": "column 1: {{range seq}}: range takes no arguments",
	} {
		if _, err := ParseTemplate(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	random, err := ParseTemplate("{{randInt}} {{randInt 1 3}} {{uuid}} {{now}}")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for range 200 {
		var whole, small int
		var id, at string
		if _, err := fmt.Sscan(string(random.Append(nil, 1)), &whole, &small, &id, &at); err != nil || whole < 0 || small < 1 || small > 3 || len(id) != 36 {
			t.Fatalf("%d %d %s %s: %v", whole, small, id, at, err)
		}
		seen[fmt.Sprint(small)], seen[id] = true, true
	}
	if len(seen) != 203 {
		t.Errorf("%d different values, want 200 ids and the numbers from 1 to 3", len(seen))
	}
}

// A line of tail's is the record that it was written from, also with a key and headers
// put on it.
func TestTailLines(t *testing.T) {
	r := &kgo.Record{
		Topic: "old", Partition: 5, Offset: 9, Timestamp: time.UnixMilli(1_000_000_000_123),
		Headers: []kgo.RecordHeader{{Key: "a", Value: nil}, {Key: "a", Value: []byte("\xff")}},
	}
	var f kafka.JSONFormatter
	line := string(f.AppendJSON(nil, r))
	value, err := ParseTemplate("v{{seq}}")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		maker     Maker
		topic     string
		partition int32
		headers   []kgo.RecordHeader
	}{
		"as it was": {Maker{}, "old", -1, r.Headers},
		"partition": {Maker{KeepPartition: true}, "old", 5, r.Headers},
		"new":       {Maker{Topic: "new", Headers: []Header{{"b", value}}}, "new", -1, append(r.Headers[:2:2], kgo.RecordHeader{Key: "b", Value: []byte("v1")})},
	} {
		e, err := NewLines(strings.NewReader(line), "", Auto, &tt.maker).Next()
		if err != nil {
			t.Fatal(err)
		}
		got := e.Record
		if got.Topic != tt.topic || got.Partition != tt.partition || got.Key != nil || got.Value != nil || !got.Timestamp.Equal(r.Timestamp) {
			t.Errorf("%s: %+v", name, got)
		}
		equal(t, name, got.Headers, tt.headers)
	}
}

func TestJoin(t *testing.T) {
	opened := 0
	lines := func(name, text string) func() (Source, io.Closer, error) {
		return func() (Source, io.Closer, error) {
			opened++
			return NewLines(strings.NewReader(text), name, Raw, &Maker{Topic: "t"}), io.NopCloser(nil), nil
		}
	}
	source := Join(lines("a", "1\n2"), lines("b", ""), lines("c", "3\n"), func() (Source, io.Closer, error) { return nil, nil, errors.New("no d") })
	if _, err := source.Next(); err != nil || opened != 1 {
		t.Errorf("%d opened, %v", opened, err)
	}
	equal(t, "entries", drain(t, source), []string{`a:2 "" "2"`, `c:1 "" "3"`, "end: no d"})
}

// Whatever a row is, it becomes JSON, or its line is named.
func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,\"x\ny\"\n", "a")
	f.Add("a:text,b\n\"\n", "")
	f.Add("\ufeffa\r\n\x00\n-0\n1e5\n", "a")
	f.Fuzz(func(t *testing.T, text, key string) {
		source, err := NewCSV(strings.NewReader(text), "f", key, &Maker{Topic: "t"})
		if err != nil {
			return
		}
		for range 1000 {
			e, err := source.Next()
			var wrong *PlaceError
			switch {
			case errors.As(err, &wrong):
			case err != nil:
				return
			case !json.Valid(e.Record.Value):
				t.Fatalf("%s: %s", e.Place, e.Record.Value)
			}
		}
	})
}

// A template that is taken gives the same text again where nothing in it is new.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{TemplateForms, `{{"{{"}}`, "{{", "a{{seq}}", "{{randInt 1 2 3}}", `{{"}}`, "{{ randInt  -1 +1 }}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		template, err := ParseTemplate(text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "column ") {
				t.Error(err)
			}
			return
		}
		got := template.Append(nil, 1)
		if !strings.Contains(text, "{{") && string(got) != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

// A line that is taken has a CloudEvent that is JSON, or is one of tail's.
func FuzzLines(f *testing.F) {
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`))
	f.Add([]byte(`{"specversion":"1.0"}`))
	f.Add([]byte(`{"topic":"t","offset":1,"timestamp":null,"value":"\u0000"}`))
	f.Add([]byte("{ } \n[1]\n\"\\ud800\""))
	f.Fuzz(func(t *testing.T, text []byte) {
		source := NewLines(bytes.NewReader(text), "", Auto, &Maker{Topic: "t", Type: "x", Source: "s"})
		for {
			e, err := source.Next()
			var wrong *PlaceError
			switch {
			case errors.As(err, &wrong):
				continue
			case err != nil:
				return
			}
			if e.Event && !json.Valid(e.Record.Value) {
				t.Fatalf("%s: %s", e.Place, e.Record.Value)
			}
		}
	})
}

func BenchmarkLines(b *testing.B) {
	const event = `{"specversion":"1.0","id":"0198-1","source":"todo-backend","type":"task.created","subject":"tasks/123",` +
		`"time":"2026-02-17T12:00:00.123456Z","datacontenttype":"application/json","partitionkey":"123","sequence":"7",` +
		`"data":{"event_type":"task.created","user_id":"u1","data":{"task_id":123,"title":"Buy groceries"}}}`
	const n = 10_000
	for name, line := range map[string]string{"event": event, "data": `{"task_id":123,"title":"Buy groceries"}`} {
		text := strings.Repeat(line+"\n", n)
		for _, format := range []Format{Auto, Raw} {
			b.Run(name+"/"+string(format), func(b *testing.B) {
				b.SetBytes(int64(len(line) + 1))
				for i := 0; i < b.N; i += n {
					source := NewLines(strings.NewReader(text), "", format, &Maker{Topic: "t", Source: "todoctl"})
					for range min(n, b.N-i) {
						if _, err := source.Next(); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
