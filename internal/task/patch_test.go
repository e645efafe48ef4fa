package task

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParsePatch(t *testing.T) {
	due := time.Date(2026, 2, 20, 10, 30, 0, 0, time.UTC)
	tests := map[string]struct {
		body string
		want Patch
	}{
		"nothing":             {`{}`, Patch{}},
		"unknown field":       {`{"id":5,"color":"red"}`, Patch{}},
		"texts":               {`{"title":"a","description":"b","recurrence":"daily","priority":"high"}`, Patch{Title: ptr("a"), Description: ptr("b"), Recurrence: ptr("daily"), Priority: ptr(High)}},
		"null clears":         {`{"description":null,"tags":null,"due_date":null}`, Patch{Description: ptr(""), Tags: ptr([]string(nil)), DueDate: &time.Time{}}},
		"zone":                {`{"due_date":"2026-02-20T12:30:00+02:00"}`, Patch{DueDate: &due}},
		"no zone is UTC":      {`{"due_date":"2026-02-20T10:30"}`, Patch{DueDate: &due}},
		"finer than storable": {`{"due_date":"2026-02-20T10:30:00.0000009Z"}`, Patch{DueDate: &due}},
		"reminder":            {`{"remind_before":30,"timezone":"Asia/Tokyo","channels":["email"]}`, Patch{RemindBefore: ptr(ptr(30)), Timezone: ptr("Asia/Tokyo"), Channels: ptr([]string{"email"})}},
		"no reminder":         {`{"remind_before":null,"timezone":null,"channels":null}`, Patch{RemindBefore: new(*int), Timezone: ptr(""), Channels: ptr([]string(nil))}},
		"empty time clears":   {`{"remind_at":""}`, Patch{RemindAt: &time.Time{}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePatch([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("patch (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParsePatchRefuses(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"empty":          {" ", "body: is empty, must be a JSON object"},
		"malformed":      {`{"title":`, "body: malformed JSON at byte 9: unexpected end of JSON input"},
		"list":           {`[]`, "body: must be a JSON object"},
		"null":           {`null`, "body: must be a JSON object"},
		"title a number": {`{"title":5}`, "title: must be a string, not a number"},
		"two at once": {
			`{"completed":"yes","tags":{"a":1}}`,
			"completed: must be true or false, not a string; tags: must be a list of strings, not an object",
		},
		"tags of numbers": {`{"tags":[1]}`, "tags: must be a list of strings, not a list"},
		"no time":         {`{"due_date":"tomorrow"}`, `due_date: must be a time in RFC 3339 such as 2026-02-17T12:00:00Z, not "tomorrow"`},
		"half a minute":   {`{"remind_before":0.5}`, "remind_before: must be a whole number of minutes, not a number"},
		"minutes a text":  {`{"remind_before":"5"}`, "remind_before: must be a whole number of minutes, not a string"},
		"time a number":   {`{"due_date":1}`, "due_date: must be a time in RFC 3339, not a number"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParsePatch([]byte(tt.body))
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v\nwant    %s", err, tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		patch Patch
		want  string
	}{
		"no title":          {Patch{}, "title: must have 1 to 200 characters, has 0"},
		"blank title":       {Patch{Title: ptr("  ")}, "title: must have 1 to 200 characters, has 0"},
		"long title":        {Patch{Title: ptr(strings.Repeat("é", 201))}, "title: must have 1 to 200 characters, has 201"},
		"NUL":               {Patch{Title: ptr("a\x00b")}, "title: must not contain the NUL character"},
		"long description":  {Patch{Title: ptr("a"), Description: ptr(strings.Repeat("d", 2001))}, "description: must have 0 to 2000 characters, has 2001"},
		"priority":          {Patch{Title: ptr("a"), Priority: ptr(Priority("asap"))}, `priority: must be low, medium, high or urgent, not "asap"`},
		"many tags":         {Patch{Title: ptr("a"), Tags: ptr(strings.Split("a b c d e f g h i j k l m n o p q r s t u", " "))}, "tags: must be at most 20, are 21"},
		"empty tag":         {Patch{Title: ptr("a"), Tags: ptr([]string{""})}, "tags: must have 1 to 50 characters, has 0"},
		"recurrence":        {Patch{Title: ptr("a"), Recurrence: ptr("often")}, "recurrence: must be none, daily, weekly, monthly, yearly or an RFC 5545 rule such as FREQ=WEEKLY;BYDAY=MO"},
		"year 0 by minutes": {Patch{Title: ptr("a"), DueDate: ptr(time.Date(1, 1, 1, 0, 30, 0, 0, time.UTC)), RemindBefore: ptr(ptr(60))}, "remind_before: must lie in the years 1 to 9999 in UTC"},
		"minutes ahead":     {Patch{Title: ptr("a"), RemindBefore: ptr(ptr(-1))}, "remind_before: must be 0 to 525600 minutes, is -1"},
		"two years before":  {Patch{Title: ptr("a"), RemindBefore: ptr(ptr(1051200))}, "remind_before: must be 0 to 525600 minutes, is 1051200"},
		"many channels":     {Patch{Title: ptr("a"), Channels: ptr(strings.Split("a b c d e f g h i j k", " "))}, "channels: must be at most 10, are 11"},
		"long channel":      {Patch{Title: ptr("a"), Channels: ptr([]string{strings.Repeat("x", 31)})}, "channels: must have 1 to 30 characters, has 31"},
		"no such zone":      {Patch{Title: ptr("a"), Timezone: ptr("Mars/Olympus")}, `timezone: must be a time zone of the IANA database such as Europe/Berlin, not "Mars/Olympus"`},
		"machine's zone":    {Patch{Title: ptr("a"), Timezone: ptr("Local")}, `timezone: must be a time zone of the IANA database such as Europe/Berlin, not "Local"`},
		"a file's path":     {Patch{Title: ptr("a"), Timezone: ptr("../etc/passwd")}, `timezone: must be a time zone of the IANA database such as Europe/Berlin, not "../etc/passwd"`},
		"no zone":           {Patch{Title: ptr("a"), Timezone: ptr("posixrules")}, `timezone: must be a time zone of the IANA database such as Europe/Berlin, not "posixrules"`},
		"year 10000":        {Patch{Title: ptr("a"), DueDate: ptr(time.Date(9999, 12, 31, 23, 0, 0, 0, time.FixedZone("", -7200)))}, "due_date: must lie in the years 1 to 9999 in UTC"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Change{Action: Create, UserID: "u1", Patch: tt.patch}.Apply(nil, Reminder{}, 1, noon, eventID)
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v\nwant    %s", err, tt.want)
			}
		})
	}
}

// Whatever the body, the answer is an error or a task whose event is JSON.
func FuzzParsePatch(f *testing.F) {
	for _, body := range []string{
		`{"title":"Buy groceries","tags":["a"],"priority":"high","due_date":"2026-02-20T10:30:00Z"}`,
		`{"title":"\u0000"}`, `{"title":"\ud800"}`, `{"title":"x","due_date":"9999-12-31T23:59:59-23:59"}`, `null`, `{"title":null}`,
		`{"title":"x","recurrence":"RRULE:FREQ=WEEKLY;BYDAY=MO"}`,
		`{"title":"x","recurrence":"monthly","due_date":"2026-01-31","remind_at":"2026-01-30T18:00","remind_before":5,"timezone":"Asia/Tokyo","channels":["a"]}`,
		"{\"title\":\"\xff\"}",
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		patch, err := ParsePatch(body)
		if err != nil {
			return
		}
		got, err := Change{Action: Create, UserID: "u1", Patch: patch}.Apply(nil, Reminder{}, 1, noon, eventID)
		if err != nil {
			return
		}
		for _, e := range got.Events {
			if !json.Valid(e.Payload) {
				t.Errorf("payload is no JSON: %s", e.Payload)
			}
		}
		done := got.Task
		done.Completed, done.CompletedAt = true, ptr(Timestamp(noon))
		if next, ok := done.Next(); ok {
			if _, err := next.Apply(nil, Reminder{}, 2, noon, eventID); err != nil {
				t.Errorf("next task: %v", err)
			}
		}
		again, err := Change{Action: Update, UserID: "u1", Patch: patch}.Apply(&got.Task, Reminder{}, 1, noon, eventID)
		if err != nil || len(again.Events) != 0 {
			t.Errorf("the same patch again: %d events, %v", len(again.Events), err)
		}
	})
}
