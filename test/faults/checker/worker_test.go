package checker

import (
	"bufio"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var someTime = time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)

// workerGreen is a run in which all went well: nine reminders told by two runs of a
// worker, one task of a series, poison of four kinds.
func workerGreen() WorkerEvidence {
	e := WorkerEvidence{
		Runs: []Run{
			{Name: "a", Cuts: []Cut{{At: 5, Killed: true, Open: map[string]bool{"due-5": true}}}},
			{Name: "b", Buried: []Origin{{"reminders", 0, 9}}},
		},
		Series: []int64{50}, Flight: 2,
		Next:      []NextTask{{Task: 51, Previous: 50, Made: someTime}},
		Poison:    map[string]Fate{"wrong": "invalid", "binary": Copied, "strange": Ignored, "odd": Told},
		Recovered: true, Recovery: time.Second, Bound: time.Minute,
	}
	record := func(topic, key, value string) {
		at := Origin{topic, 0, 0}
		for _, m := range e.Messages {
			if m.Place.Topic == topic {
				at.Offset++
			}
		}
		e.Messages = append(e.Messages, Message{Place: at, Key: key, Value: []byte(value)})
	}
	tell := func(t Telling, run int) {
		e.Runs[run].Lines = append(e.Runs[run].Lines, t)
		e.Posts = append(e.Posts, t)
	}
	for task := range int64(9) {
		r := ReminderAt(task+1, someTime)
		id := fmt.Sprintf("due-%d", task+1)
		e.Wishes = append(e.Wishes, r)
		e.Rows = append(e.Rows, DueRow{"s" + id, "reminder.scheduled", 1, r}, DueRow{id, "reminder.due", 2, r})
		record("reminders", fmt.Sprint(task+1), fmt.Sprintf(`{"id":%q,"type":"reminder.due"}`, id))
		tell(Telling{id, r}, int(task/5))
	}
	record(Changes, "50", `{"id":"c","type":"task.completed","data":{"data":{"task_id":50,"recurrence":"daily"}}}`)
	record("reminders", "poison/wrong/1", `{"id":"poison-1","type":"reminder.due"}`)
	record("reminders", "poison/binary/2", "\x00\xff\n")
	record("reminders", "poison/strange/3", `{"id":"poison-3","type":"weather"}`)
	record("reminders", "poison/odd/4", `{"id":"poison-4","type":"reminder.due"}`)
	tell(Telling{"poison-4", ReminderAt(1, someTime)}, 1)
	letters := "reminders-dlq"
	e.Letters = []Message{
		{Place: Origin{letters, 0, 0}, Value: []byte(`{"id":"poison-1","dlqreason":"invalid","dlqtopic":"reminders","dlqpartition":"0","dlqoffset":"9"}`)},
		{Place: Origin{letters, 0, 1}, Value: []byte("\x00\xff\n"), Header: map[string]string{"__topic": "reminders", "__partition": "0", "__offset": "10"}},
	}
	e.Samples = []Sample{{
		At: someTime, Posts: 10, Lines: map[string]int{"a": 5, "b": 5}, Letters: map[string]map[int]int64{letters: {0: 2}},
		Committed: map[string]map[int]int64{"reminders": {0: 13}, Changes: {0: 1}},
	}}
	return e
}

// Each of I5, I6, I7 and I8 turns red for what violates it, and for nothing else.
func TestCheckWorker(t *testing.T) {
	again := func(e *WorkerEvidence, run, line int) {
		e.Runs[1].Lines = append(e.Runs[1].Lines, e.Runs[run].Lines[line])
	}
	for _, c := range []struct {
		name  string
		spoil func(*WorkerEvidence)
		red   []string
	}{
		{"all well", func(*WorkerEvidence) {}, nil},
		{"a line is missing", func(e *WorkerEvidence) { e.Runs[0].Lines[0].ID, e.Samples = "due-2", nil }, []string{Untold, Twice, Made}},
		{"a notification is lost", func(e *WorkerEvidence) { e.Runs[1].Lines, e.Samples = e.Runs[1].Lines[1:], nil }, []string{Untold}},
		{"a webhook is lost", func(e *WorkerEvidence) { e.Posts, e.Samples = e.Posts[1:], nil }, []string{Untold}},
		{"the inbox is off: a line comes again", func(e *WorkerEvidence) { again(e, 0, 1) }, []string{Twice}},
		{"a line comes again that was sent and not noted at a kill", func(e *WorkerEvidence) { again(e, 0, 4) }, nil},
		{"a line comes again that was noted before a kill", func(e *WorkerEvidence) { again(e, 0, 3) }, []string{Twice}},
		{"a line comes again that was under way at a stop", func(e *WorkerEvidence) {
			e.Runs[1].Cuts = []Cut{{At: 0}}
			again(e, 1, 1)
		}, nil},
		{"a line comes again from long after a stop", func(e *WorkerEvidence) {
			e.Runs[1].Cuts = []Cut{{At: 0}}
			again(e, 1, 2)
		}, []string{Twice}},
		{"a webhook comes again", func(e *WorkerEvidence) { e.Posts = append(e.Posts, e.Posts[0]) }, nil},
		{"a reminder is claimed twice", func(e *WorkerEvidence) {
			e.Rows = append(e.Rows, DueRow{"sdue", "reminder.scheduled", 3, e.Rows[1].Reminder}, DueRow{"due", "reminder.due", 4, e.Rows[1].Reminder})
			e.Runs[1].Lines = append(e.Runs[1].Lines, Telling{"due", e.Rows[1].Reminder})
			e.Posts = append(e.Posts, Telling{"due", e.Rows[1].Reminder})
		}, []string{Twice}},
		{"a cancelled one falls due", func(e *WorkerEvidence) { e.Rows[0].Type = "reminder.cancelled" }, []string{Made}},
		{"one that was taken back falls due", func(e *WorkerEvidence) { e.Unwanted = e.Wishes[:1] }, []string{Made}},
		{"a promised one never falls due", func(e *WorkerEvidence) { e.Wishes = append(e.Wishes, ReminderAt(77, someTime)) }, []string{Untold}},
		{"somebody is told of nothing", func(e *WorkerEvidence) { e.Posts = append(e.Posts, Telling{"x", ReminderAt(1, someTime)}) }, []string{Made}},
		{"poison is told", func(e *WorkerEvidence) { e.Posts = append(e.Posts, Telling{"poison-1", ReminderAt(1, someTime)}) }, []string{Made}},
		{"no next task", func(e *WorkerEvidence) { e.Next = nil }, []string{Untold, Commit}},
		{"two next tasks", func(e *WorkerEvidence) { e.Next = append(e.Next, e.Next[0]) }, []string{Twice}},
		{"a next task of nothing", func(e *WorkerEvidence) { e.Next = append(e.Next, NextTask{9, 8, someTime}) }, []string{Made}},
		{"a dead letter is dropped", func(e *WorkerEvidence) { e.Letters = e.Letters[1:] }, []string{Letters, Commit}},
		{"a dead letter without its reason", func(e *WorkerEvidence) { e.Letters[0] = e.Letters[1]; e.Letters[0].Header["__offset"] = "9" }, []string{Letters, Commit}},
		{"a dead letter from nowhere", func(e *WorkerEvidence) { e.Letters[1].Header["__offset"] = "999" }, []string{Letters, Commit}},
		{"a dead letter comes again and is noted once", func(e *WorkerEvidence) { e.Letters = append(e.Letters, e.Letters[0]) }, nil},
		{"a dead letter comes again that was noted", func(e *WorkerEvidence) {
			e.Letters = append(e.Letters, e.Letters[0])
			e.Runs[0].Buried = e.Runs[1].Buried
		}, []string{Letters}},
		{"a dead letter comes again and nobody notes it", func(e *WorkerEvidence) {
			e.Letters = append(e.Letters, e.Letters[0])
			e.Runs[1].Buried = nil
		}, []string{Letters}},
		{"a dead letter comes again with another id", func(e *WorkerEvidence) {
			e.Letters = append(e.Letters, e.Letters[0])
			e.Letters[2].Value = []byte(strings.Replace(string(e.Letters[2].Value), "poison-1", "poison-7", 1))
		}, []string{Letters}},
		{"Dapr's copy comes again", func(e *WorkerEvidence) { e.Letters = append(e.Letters, e.Letters[1]) }, nil},
		{"a good event is called invalid", func(e *WorkerEvidence) {
			e.Letters = append(e.Letters, e.Letters[1])
			e.Letters[2].Header = map[string]string{"__topic": "reminders", "__partition": "0", "__offset": "0"}
		}, []string{Letters}},
		{"what is to be passed over is a dead letter", func(e *WorkerEvidence) {
			e.Letters = append(e.Letters, e.Letters[1])
			e.Letters[2].Header = map[string]string{"__topic": "reminders", "__partition": "0", "__offset": "11"}
		}, []string{Letters}},
		{"no poison was there", func(e *WorkerEvidence) { e.Poison["more"] = "invalid" }, []string{Letters}},
		{"acknowledged when the line was owed", func(e *WorkerEvidence) {
			e.Samples[0].Lines["b"], e.Samples[0].Owed = 4, map[string]bool{"log/poison-4": true}
		}, nil},
		{"acknowledged when the webhook was owed", func(e *WorkerEvidence) {
			e.Samples[0].Posts, e.Samples[0].Owed = 9, map[string]bool{"hook/poison-4": true}
		}, nil},
		{"acknowledged when something else was owed", func(e *WorkerEvidence) {
			e.Samples[0].Posts, e.Samples[0].Owed = 9, map[string]bool{"log/poison-4": true}
		}, []string{Commit}},
		{"acknowledged before the line", func(e *WorkerEvidence) { e.Samples[0].Lines["b"] = 4 }, []string{Commit}},
		{"acknowledged before the webhook", func(e *WorkerEvidence) { e.Samples[0].Posts = 9 }, []string{Commit}},
		{"acknowledged before the dead letter", func(e *WorkerEvidence) { e.Samples[0].Letters = nil }, []string{Commit}},
		{"acknowledged before the next task", func(e *WorkerEvidence) { e.Samples[0].At = someTime.Add(-time.Second) }, []string{Commit}},
		{"events wait", func(e *WorkerEvidence) { e.Recovered = false }, []string{Recovery}},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := workerGreen()
			c.spoil(&e)
			report := CheckWorker(e)
			slices.Sort(c.red)
			if diff := cmp.Diff(c.red, report.Red()); diff != "" {
				t.Errorf("red (-want +got):\n%s%s", diff, report)
			}
		})
	}
}

func TestWorkerFigures(t *testing.T) {
	e := workerGreen()
	e.Posts = append(e.Posts, e.Posts[0], e.Posts[0])
	e.Runs[1].Lines = append(e.Runs[1].Lines, e.Runs[0].Lines[4])
	r := CheckWorker(e)
	got := []int{r.Due, r.Told, r.Excused, r.Reposted, r.Series, r.Poison, r.Letters, r.Again, r.Copied, r.Redriven, r.Checked}
	if diff := cmp.Diff([]int{9, 9, 1, 2, 1, 4, 2, 0, 0, 0, 14}, got); diff != "" {
		t.Errorf("figures (-want +got):\n%s", diff)
	}
}

// Whatever is in a record, it is read as it is.
func TestParseMessages(t *testing.T) {
	const text = "0 7 3 5 a=b,__topic=t\nkey1\n 3\n1 8 -1 -1 \n2 9 0 2 \n\n\n"
	got, err := parseMessages(bufio.NewReader(strings.NewReader(text)), "t")
	if err != nil {
		t.Fatal(err)
	}
	want := []Message{
		{Origin{"t", 0, 7}, "key", []byte("1\n 3\n"), map[string]string{"a": "b", "__topic": "t"}},
		{Origin{"t", 1, 8}, "", []byte{}, map[string]string{"": ""}},
		{Origin{"t", 2, 9}, "", []byte("\n\n"), map[string]string{"": ""}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
