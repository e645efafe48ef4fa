package checker

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// event makes the event of a change, as both row and record have it.
func event(t *testing.T, kind string, task, sequence int64, title string) Event {
	t.Helper()
	e, err := ParseEvent(fmt.Appendf(nil, `{"specversion":"1.0","id":"e-%d-%d","type":"task.%s","subject":"tasks/%d",
		"sequence":"%d","data":{"data":{"task_id":%d,"title":%q,"completed":false}}}`, task, sequence, kind, task, sequence, task, title))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// green is a run in which all went well: three clients' tasks, two changed twice, one
// created under a key after an unknown outcome and deleted.
func green(t *testing.T) Evidence {
	t.Helper()
	e := Evidence{Recovered: true, Recovery: time.Second, Bound: time.Minute}
	change := func(action, kind string, task, sequence int64, key string) {
		title := fmt.Sprintf("%d at %d", task, sequence)
		made := event(t, kind, task, sequence, title)
		trace := fmt.Sprintf("trace-%d-%d", task, sequence)
		e.Operations = append(e.Operations, Operation{Action: action, Outcome: OK, Trace: trace, Key: key, Title: title, TaskID: task, Sequence: sequence})
		e.Rows = append(e.Rows, Row{Event: made, Topic: Changes, Trace: trace, Task: task, Seq: sequence, Published: true})
		e.Records = append(e.Records, Record{Event: made, Topic: Changes, Partition: int(task % 2), Offset: int64(len(e.Records)), Key: fmt.Sprint(task)})
	}
	change("create", "created", 1, 1, "")
	change("create", "created", 2, 1, "")
	change("update", "updated", 1, 2, "")
	change("update", "updated", 2, 2, "")
	change("create", "created", 3, 1, "key")
	change("delete", "deleted", 3, 2, "")
	for i, row := range slices.Clone(e.Rows) { // each change has its update
		record := e.Records[i]
		row.ID, row.Topic, row.Type = "u"+row.ID, Updates, "task.sync"
		record.Event, record.Topic = row.Event, Updates
		e.Rows, e.Records = append(e.Rows, row), append(e.Records, record)
	}
	e.Operations = append(e.Operations,
		Operation{Action: "create", Outcome: Unknown, Trace: "first try", Key: "key", Title: "3 at 1"},
		Operation{Action: "update", Outcome: Fail, Trace: "refused", Title: "stale"})
	e.Tasks = []Task{{ID: 1, Sequence: 2, Title: "1 at 2"}, {ID: 2, Sequence: 2, Title: "2 at 2"}}
	return e
}

// Each invariant turns red for what violates it, and for nothing else.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Evidence)
		red   []string
	}{
		{"all well", func(*Evidence) {}, nil},
		{"an event isn't on the topic", func(e *Evidence) { e.Records = e.Records[:5] }, []string{Loss}},
		{"an answered change is gone", func(e *Evidence) { e.Rows, e.Records = e.Rows[:5], e.Records[:5] }, []string{Loss, State}},
		{"a change under a key is gone", func(e *Evidence) { e.Rows, e.Records = e.Rows[:4], e.Records[:4] }, []string{Loss}},
		{"a record without a row", func(e *Evidence) { e.Records[5].ID = "made up" }, []string{Loss, Phantom}},
		{"a row that nobody asked for", func(e *Evidence) { e.Operations = e.Operations[1:] }, []string{Phantom}},
		{"a row of a refused request", func(e *Evidence) { e.Operations[3].Outcome = Fail }, []string{Phantom}},
		{"a change made twice under a key", func(e *Evidence) { e.Operations[3].Key, e.Operations[2].Key = "k", "k" }, []string{Phantom, Answers}},
		{"two events change places", func(e *Evidence) { e.Records[0], e.Records[2] = e.Records[2], e.Records[0] }, []string{Order}},
		{"a task on two partitions", func(e *Evidence) { e.Records[2].Partition = 7 }, []string{Order}},
		{"a gap", func(e *Evidence) { e.Records = append(e.Records[:2], e.Records[3:]...); e.Records[1].Sequence = 2 }, []string{Loss, Order}},
		{"a duplicate that is the same", func(e *Evidence) { e.Records = append(e.Records, e.Records[0]) }, nil},
		{"a duplicate that differs", func(e *Evidence) {
			e.Records = append(e.Records, e.Records[0])
			e.Records[12].Content[0]++
		}, []string{Repetition}},
		{"a record that isn't its row", func(e *Evidence) { e.Records[0].Content[0]++ }, []string{Repetition}},
		{"the outbox doesn't get empty", func(e *Evidence) { e.Recovered = false }, []string{Recovery}},
		{"recovery takes too long", func(e *Evidence) { e.Recovery = time.Hour }, []string{Recovery}},
		{"an answer of another change", func(e *Evidence) { e.Operations[0].Sequence = 9 }, []string{Answers}},
		{"a client was told two things", func(e *Evidence) { e.Contradictions = []string{"404 for a task that is there"} }, []string{Answers}},
		{"a task is older than its event", func(e *Evidence) { e.Tasks[0].Sequence = 1 }, []string{State}},
		{"an update is missing", func(e *Evidence) { e.Rows, e.Records = e.Rows[:11], e.Records[:11] }, []string{Loss}},
		{"an update isn't on its topic", func(e *Evidence) { e.Records = e.Records[:11] }, []string{Loss}},
		{"two updates change places", func(e *Evidence) { e.Records[6], e.Records[8] = e.Records[8], e.Records[6] }, []string{Order}},
		{"an update of another request", func(e *Evidence) { e.Rows[6].Trace = "another" }, []string{State}},
		{"an update of no change", func(e *Evidence) { e.Rows[4].Topic, e.Records[4].Topic = "reminders", "reminders" }, []string{Loss, Phantom, Order, State}},
		{"an event on another topic", func(e *Evidence) { e.Records[0].Topic = Updates }, []string{Loss, Phantom, Order}},
		{"a task is gone without an event", func(e *Evidence) { e.Tasks = e.Tasks[1:] }, []string{State}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := green(t)
			c.spoil(&e)
			report := Check(e)
			if diff := cmp.Diff(c.red, report.Red()); diff != "" {
				t.Errorf("red (-want +got):\n%s%s", diff, report)
			}
		})
	}
}

func TestFigures(t *testing.T) {
	e := green(t)
	e.Records = append(e.Records, e.Records[0], e.Records[0])
	report := Check(e)
	if report.Events != 12 || report.Duplicates != 2 || report.Changes != 6 || report.DuplicateRate() != 1.0/7 {
		t.Errorf("%d events, %d duplicates (%v), %d changes, want 12, 2 (1/7), 6",
			report.Events, report.Duplicates, report.DuplicateRate(), report.Changes)
	}
}

// Dapr's additions and the order of the fields make no difference, a changed digit
// beyond float64 does.
func TestContent(t *testing.T) {
	parse := func(text string) Event {
		t.Helper()
		e, err := ParseEvent([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	const data = `"data":{"data":{"task_id":9007199254740993}}`
	row := parse(`{"id":"e","sequence":"1",` + data + `}`)
	if record := parse(`{` + data + `,"topic":"t","sequence":"1","id":"e"}`); record.Content != row.Content {
		t.Error("the same content differs")
	}
	if record := parse(`{"id":"e","sequence":"1",` + strings.Replace(data, "993", "992", 1) + `}`); record.Content == row.Content {
		t.Error("another content is the same")
	}
}

func TestRecordsOfKcat(t *testing.T) {
	const line = `0 5 7 {"id":"e","sequence":"1","subject":"tasks/7","data":{"data":{"task_id":7}}}` + "\n"
	records, err := parseRecords(strings.NewReader(line))
	if err != nil || len(records) != 1 || records[0].Offset != 5 || records[0].Key != "7" {
		t.Errorf("%+v, %v", records, err)
	}
	for name, text := range map[string]string{
		"the same offset again": line + line,
		"another key":           strings.Replace(line, "0 5 7", "0 5 8", 1),
		"no event":              "0 5 7 {}\n",
		"no record":             "% ERROR\n",
	} {
		if records, err := parseRecords(strings.NewReader(text)); err == nil {
			t.Errorf("%s: read as %+v", name, records)
		}
	}
}
