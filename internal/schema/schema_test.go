package schema

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/todoctl/todoctl/internal/task"
)

var update = flag.Bool("update", false, "write docs/asyncapi.yaml")

func load(t testing.TB) *Set {
	t.Helper()
	s, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTypes(t *testing.T) {
	want := []string{
		task.TypeCreated, task.TypeUpdated, task.TypeCompleted, task.TypeReopened, task.TypeDeleted,
		task.TypeScheduled, task.TypeDue, task.TypeCancelled, task.TypeSync,
	}
	var got []string
	topics := map[string]bool{}
	for _, kind := range load(t).Types() {
		got = append(got, kind.Name)
		topics[kind.Topic] = true
	}
	for _, names := range [][]string{got, Names()} {
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("types (-want +got):\n%s", diff)
		}
	}
	if diff := cmp.Diff(map[string]bool{"task-events": true, "reminders": true, "task-updates": true}, topics); diff != "" {
		t.Errorf("topics (-want +got):\n%s", diff)
	}
}

// realEvents are those of a task's life, all types of them, and the first of the next
// task of its series.
func realEvents(t *testing.T) []task.Event {
	t.Helper()
	patch := func(body string) task.Patch {
		p, err := task.ParsePatch([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	created := patch(`{"title":"Buy <groceries> ü","tags":["home"],"due_date":"2026-02-19T12:00:00Z","recurrence":"FREQ=WEEKLY;BYDAY=MO"}`)
	urgent := patch(`{"priority":"urgent","remind_before":60,"channels":["email"],"timezone":"Europe/Berlin"}`)
	now := time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)
	id := func() string { return "0198c2a0-0000-7000-8000-000000000001" }
	var current *task.Task
	var reminder task.Reminder
	var events []task.Event
	apply := func(change task.Change) task.Task {
		outcome, err := change.Apply(current, reminder, 7, now, id)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, outcome.Events...)
		if outcome.Reminder != nil {
			reminder = *outcome.Reminder
		}
		current = &outcome.Task
		return outcome.Task
	}
	apply(task.Change{Action: task.Create, UserID: "u1", Patch: created, Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"})
	apply(task.Change{Action: task.Update, UserID: "u1", Patch: urgent})
	next, recurs := apply(task.Change{Action: task.Toggle, UserID: "u1"}).Next()
	if !recurs {
		t.Fatal("the task doesn't recur")
	}
	apply(task.Change{Action: task.Toggle, UserID: "u1"})
	_, due, err := reminder.FallDue(*current, time.Hour, now.AddDate(0, 0, 2), id)
	if err != nil {
		t.Fatal(err)
	}
	events = append(events, due...)
	apply(task.Change{Action: task.Delete, UserID: "u1"})
	apply(next)
	return events
}

func TestRealEventsMatch(t *testing.T) {
	s := load(t)
	made := map[string]bool{}
	for _, event := range realEvents(t) {
		made[event.Type] = true
		kind, known := s.Type(event.Type)
		if !known || Kind(event.Payload) != event.Type || kind.Topic != event.Topic {
			t.Errorf("%s: known %v, kind %q, topic %q", event.Type, known, Kind(event.Payload), kind.Topic)
		}
		if got := s.Check(event.Type, event.Payload); got != nil {
			t.Errorf("%s: %v", event.Type, got)
		}
		for what, text := range map[string][]byte{"event": event.Payload, "example": s.Example(event.Type)} {
			if got := undescribed(s.nodes[event.Type], decode(t, text), ""); got != nil {
				t.Errorf("%s, the %s: the schema doesn't describe %s", event.Type, what, got)
			}
		}
	}
	for _, name := range Names() {
		if !made[name] {
			t.Errorf("no real event of type %s", name)
		}
	}
}

// undescribed lists the members of an object that its schema doesn't have.
func undescribed(n *node, object map[string]any, at string) []string {
	var unknown []string
	for key, value := range object {
		p := n.properties[key]
		if p == nil {
			unknown = append(unknown, at+"/"+key)
			continue
		}
		if inner, ok := value.(map[string]any); ok {
			unknown = append(unknown, undescribed(p.node, inner, at+"/"+key)...)
		}
	}
	return unknown
}

// samples are real events, one of each type.
func samples(t *testing.T) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, event := range realEvents(t) {
		all[event.Type] = event.Payload
	}
	return all
}

// complete is a validator of all of JSON Schema, from the schema that is shown.
func complete(t *testing.T, s *Set, kind string) *jsonschema.Schema {
	t.Helper()
	text, err := s.JSON(kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("event.json", doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("event.json")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// Every value of every event is replaced by others and removed: our verdict is the
// one of a complete validator, and a required field that is missing is named.
func TestVerdictsAreThoseOfACompleteValidator(t *testing.T) {
	s := load(t)
	for kind, event := range samples(t) {
		reference := complete(t, s, kind)
		refused, missing := 0, 0
		judge := func(what string, changed any) []Violation {
			text, err := json.Marshal(changed)
			if err != nil {
				t.Fatal(err)
			}
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
			if err != nil {
				t.Fatal(err)
			}
			got := s.Check(kind, text)
			if want := reference.Validate(doc); (want == nil) != (got == nil) {
				t.Errorf("%s, %s: %v; the complete validator says %v", kind, what, got, want)
			}
			return got
		}
		if got := judge("as it is", decode(t, event)); got != nil {
			t.Errorf("%s: %v", kind, got)
		}
		for _, path := range paths(decode(t, event), nil) {
			pointer := "/" + strings.Join(path, "/")
			for _, value := range []any{
				nil, true, "", "x", json.Number("0"), json.Number("-1"), json.Number("1.0"), json.Number("1.5"), json.Number("2e0"),
				[]any{}, []any{""}, []any{"x", json.Number("3")}, map[string]any{}, "2026-02-17T12:00:00Z", "2026-02-30T12:00:00Z",
				"a\u0301\\\"ü", strings.Repeat("ü", 50), strings.Repeat("ü", 51), strings.Repeat("x", 201), strings.Repeat("x", 2001),
				slices.Repeat([]any{"t"}, 21), "urgent", "deleted",
			} {
				judged := judge(pointer+" replaced", with(decode(t, event), path, func(m map[string]any, key string) { m[key] = value }))
				if judged != nil {
					refused++
				}
			}
			if got := judge(pointer+" removed", with(decode(t, event), path, func(m map[string]any, key string) { delete(m, key) })); got != nil {
				missing++
				if diff := cmp.Diff([]Violation{{Path: pointer, Message: "is missing"}}, got); diff != "" {
					t.Errorf("%s without %s (-want +got):\n%s", kind, pointer, diff)
				}
			}
		}
		if refused < 100 || missing < 10 {
			t.Errorf("%s: %d values refused, %d fields required", kind, refused, missing)
		}
	}
}

func decode(t *testing.T, event []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(event))
	dec.UseNumber()
	var fields map[string]any
	if err := dec.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	return fields
}

// paths are those of all members of an object and of the objects in it.
func paths(object map[string]any, above []string) [][]string {
	var all [][]string
	for key, value := range object {
		path := append(slices.Clone(above), key)
		all = append(all, path)
		if inner, ok := value.(map[string]any); ok {
			all = append(all, paths(inner, path)...)
		}
	}
	return all
}

func with(object map[string]any, path []string, change func(map[string]any, string)) map[string]any {
	inner := object
	for _, key := range path[:len(path)-1] {
		inner = inner[key].(map[string]any)
	}
	change(inner, path[len(path)-1])
	return object
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	s := load(t)
	good := string(s.Example("reminder.due"))
	for name, tt := range map[string]struct{ old, new, want string }{
		"type":     {`"task_id":123`, `"task_id":"123"`, `/data/data/task_id must be integer, is "123"`},
		"minimum":  {`"task_id":123`, `"task_id":0`, `/data/data/task_id must be at least 1, is 0`},
		"time":     {`"remind_at":"2026-02-18T12:00:00Z"`, `"remind_at":"tomorrow"`, `/data/data/remind_at must be a time such as 2026-02-17T12:00:00Z, is "tomorrow"`},
		"list":     {`["log"]`, `["log",""]`, `/data/data/channels/1 must not be empty`},
		"constant": {`"specversion":"1.0"`, `"specversion":"0.3"`, `/specversion must be "1.0", is "0.3"`},
		"whole":    {good, `[1]`, `the event must be object, is [1]`},
		"key":      {`"title"`, `"ti\u0074le"`, ``},
		"long":     {`"Buy groceries"`, `"` + strings.Repeat("x", 300) + `"`, `/data/data/title must have at most 200 characters, has 300`},
	} {
		var got []string
		for _, v := range s.Check("reminder.due", []byte(strings.Replace(good, tt.old, tt.new, 1))) {
			got = append(got, v.String())
		}
		if joined := strings.Join(got, "; "); joined != tt.want {
			t.Errorf("%s: %s, want %s", name, joined, tt.want)
		}
	}
	if got := s.Check("x.y", []byte(`{}`)); got != nil {
		t.Errorf("unknown type: %v", got)
	}
}

func TestRefusesSchemasThatItCannotCheck(t *testing.T) {
	for _, schema := range []string{
		`{"x-topic":"t","pattern":"^x"}`, `{"x-topic":"t","format":"uri"}`, `{"x-topic":"t","$ref":"#/$defs/none"}`,
		`{"x-topic":"t","properties":{"a":{"oneOf":[]}}}`, `{"x-topic":1}`, `{"x-topic":"t","$ref":"#/$defs/e"}`,
		`{"x-topic":"t","const":1,"allOf":[{"const":2}]}`, `{"x-topic":"t","type":"string","allOf":[{"type":["string"]},{"type":"null"}]}`,
	} {
		if _, err := parse([]byte(`{"$defs":{"e":` + schema + `}}`)); err == nil {
			t.Errorf("%s is taken", schema)
		}
	}
}

func TestAsyncAPI(t *testing.T) {
	got, err := load(t).AsyncAPI()
	if err != nil {
		t.Fatal(err)
	}
	const file = "../../docs/asyncapi.yaml"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/asyncapi.yaml (-want +got); write it with -update:\n%s", diff)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	for _, ref := range refs(doc) {
		at := any(doc)
		for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			m, _ := at.(map[string]any)
			at = m[step]
		}
		if at == nil {
			t.Errorf("%s leads nowhere", ref)
		}
	}
}

// refs are all references in a document.
func refs(value any) []string {
	var all []string
	switch value := value.(type) {
	case map[string]any:
		for key, inner := range value {
			if ref, ok := inner.(string); ok && key == "$ref" {
				all = append(all, ref)
			}
			all = append(all, refs(inner)...)
		}
	case []any:
		for _, inner := range value {
			all = append(all, refs(inner)...)
		}
	}
	return all
}

// Whatever the event, the checker ends, and its verdict on valid JSON is that of a
// complete validator.
func FuzzCheck(f *testing.F) {
	s := load(f)
	for _, kind := range s.Types() {
		f.Add(kind.Name, s.Example(kind.Name))
	}
	f.Add("task.created", []byte(`{"type":"task.created","data":{"data":[{}`))
	f.Fuzz(func(_ *testing.T, kind string, event []byte) {
		s.Check(kind, event)
		Kind(event)
	})
}

func BenchmarkCheck(b *testing.B) {
	s := load(b)
	event := s.Example("task.created")
	b.SetBytes(int64(len(event)))
	for b.Loop() {
		if s.Check("task.created", event) != nil {
			b.Fatal("refused")
		}
	}
}
