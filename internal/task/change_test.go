package task

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 2, 17, 12, 0, 0, 123456789, time.UTC)

func ptr[T any](v T) *T { return &v }

func eventID() string { return "0198c2a0-0000-7000-8000-000000000001" }

// groceries is a stored task.
func groceries() *Task {
	return &Task{
		ID: 123, UserID: "u1", Title: "Buy groceries", Priority: Medium, Tags: []string{}, Timezone: UTC, Channels: []string{}, Recurrence: "none",
		CreatedAt: Timestamp(noon), UpdatedAt: Timestamp(noon), Sequence: 6,
	}
}

func TestApplyKinds(t *testing.T) {
	done := groceries()
	done.Completed, done.CompletedAt = true, ptr(Timestamp(noon))

	tests := map[string]struct {
		change  Change
		current *Task
		kind    string
	}{
		"create":           {Change{Action: Create, UserID: "u1", Patch: Patch{Title: ptr("Buy groceries")}}, nil, TypeCreated},
		"create completed": {Change{Action: Create, UserID: "u1", Patch: Patch{Title: ptr("x"), Completed: ptr(true)}}, nil, TypeCreated},
		"update":           {Change{Action: Update, UserID: "u1", Patch: Patch{Title: ptr("Buy bread")}}, groceries(), TypeUpdated},
		"complete":         {Change{Action: Toggle, UserID: "u1"}, groceries(), TypeCompleted},
		"reopen":           {Change{Action: Toggle, UserID: "u1"}, done, TypeReopened},
		"complete by update, with a title": {
			Change{Action: Update, UserID: "u1", Patch: Patch{Title: ptr("y"), Completed: ptr(true)}}, groceries(), TypeCompleted,
		},
		"delete":               {Change{Action: Delete, UserID: "u1"}, groceries(), TypeDeleted},
		"update, tag seen":     {Change{Action: Update, UserID: "u1", IfMatch: []int64{5, 6}, Patch: Patch{Priority: ptr(High)}}, groceries(), TypeUpdated},
		"delete of an old row": {Change{Action: Delete, UserID: "u1"}, &Task{ID: 9, UserID: "u1", Sequence: 2}, TypeDeleted},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.change.Apply(tt.current, Reminder{}, 123, noon.Add(time.Hour), eventID)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Events) != 2 || got.Events[0].Topic != Topic || got.Events[1].Topic != UpdatesTopic {
				t.Fatalf("events %+v, want one on each of %s and %s", got.Events, Topic, UpdatesTopic)
			}
			want := int64(1)
			if tt.current != nil {
				want = tt.current.Sequence + 1
			}
			event := got.Events[0]
			if event.Type != tt.kind || event.Sequence != want || got.Task.Sequence != want {
				t.Errorf("event %s sequence %d, task sequence %d; want %s and %d", event.Type, event.Sequence, got.Task.Sequence, tt.kind, want)
			}
			if sync := got.Events[1]; sync.Type != TypeSync || sync.Sequence != want {
				t.Errorf("the other event is %s, sequence %d; want %s and %d", sync.Type, sync.Sequence, TypeSync, want)
			}
			if got.Deleted != (tt.kind == TypeDeleted) {
				t.Errorf("deleted = %v", got.Deleted)
			}
			if (got.Task.CompletedAt != nil) != got.Task.Completed && tt.kind != TypeDeleted {
				t.Errorf("completed %v, completed_at %v", got.Task.Completed, got.Task.CompletedAt)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	tests := map[string]struct {
		change  Change
		current *Task
		want    error
	}{
		"no task":        {Change{Action: Update, UserID: "u1"}, nil, ErrNotFound},
		"another's task": {Change{Action: Delete, UserID: "u2"}, groceries(), ErrNotFound},
		"stale":          {Change{Action: Toggle, UserID: "u1", IfMatch: []int64{5}}, groceries(), ErrStale},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if _, err := tt.change.Apply(tt.current, Reminder{}, 0, noon, eventID); !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestApplyWithoutEffectHasNoEvent(t *testing.T) {
	c := Change{Action: Update, UserID: "u1", Patch: Patch{Title: ptr(" Buy groceries "), Tags: ptr([]string{})}}
	got, err := c.Apply(groceries(), Reminder{}, 0, noon.Add(time.Hour), eventID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Outcome{Task: *groceries()}, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// The task as TestEventPayload's change leaves it, but for its first field.
const groceriesJSON = `"user_id":"u1","title":"Buy groceries","description":"","completed":false,"priority":"medium","tags":["home","food"],` +
	`"due_date":"2026-02-19T12:00:00.123456Z","remind_at":null,"remind_before":90,"timezone":"Europe/Berlin","channels":["email"],` +
	`"recurrence":"none","recurrence_end":null,"recurrence_start":null,"previous_id":null,` +
	`"created_at":"2026-02-17T12:00:00.123456Z","updated_at":"2026-02-17T12:00:00.123456Z","completed_at":null,"sequence":1}`

// The events as consumers get them; docs/design.md shows this very format.
func TestEventPayload(t *testing.T) {
	c := Change{
		Action: Create, UserID: "u1", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Patch: Patch{
			Title: ptr("Buy groceries"), Tags: ptr([]string{"home", " home", "food"}), DueDate: ptr(noon.Add(48 * time.Hour)),
			RemindBefore: ptr(ptr(90)), Timezone: ptr("Europe/Berlin"), Channels: ptr([]string{"email"}),
		},
	}
	got, err := c.Apply(nil, Reminder{}, 123, noon, eventID)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []struct{ topic, kind, data string }{
		{Topic, TypeCreated, `{"task_id":123,` + groceriesJSON},
		{UpdatesTopic, TypeSync, `{"task_id":123,"action":"created","fields_changed":["title","tags","due_date","remind_before","timezone","channels"],` +
			`"snapshot":{"id":123,` + groceriesJSON + `}`},
		{RemindersTopic, TypeScheduled, `{"task_id":123,"title":"Buy groceries","user_id":"u1","remind_at":"2026-02-19T10:30:00.123456Z",` +
			`"due_date":"2026-02-19T12:00:00.123456Z","channels":["email"],"timezone":"Europe/Berlin"}`},
	} {
		payload := `{"specversion":"1.0","id":"0198c2a0-0000-7000-8000-000000000001","source":"todo-backend","type":"` + want.kind + `",` +
			`"subject":"tasks/123","time":"2026-02-17T12:00:00.123456Z","datacontenttype":"application/json","partitionkey":"123","sequence":"1",` +
			`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","traceid":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",` +
			`"data":{"event_type":"` + want.kind + `","timestamp":"2026-02-17T12:00:00.123456Z","user_id":"u1","data":` + want.data + `}}`
		event := got.Events[i]
		if diff := cmp.Diff(payload, string(event.Payload)); diff != "" {
			t.Errorf("payload of %s (-want +got):\n%s", want.kind, diff)
		}
		if event.Topic != want.topic || event.Type != want.kind || event.Key() != "123" {
			t.Errorf("%s of key %s on %s, want %s of 123 on %s", event.Type, event.Key(), event.Topic, want.kind, want.topic)
		}
	}
	if len(got.Events) != 3 {
		t.Errorf("%d events, want 3", len(got.Events))
	}
}

// What a consumer reads of an event is the task of the change.
func TestReadSnapshot(t *testing.T) {
	c := Change{Action: Create, UserID: `u "1" <b>`, Patch: Patch{Title: ptr("Über & out"), DueDate: &noon, RemindBefore: ptr(ptr(0))}}
	made, err := c.Apply(nil, Reminder{}, 123, noon, eventID)
	if err != nil {
		t.Fatal(err)
	}
	var event struct {
		Data struct{ Data json.RawMessage }
	}
	if err := json.Unmarshal(made.Events[0].Payload, &event); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSnapshot(event.Data.Data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(made.Task, got); diff != "" {
		t.Errorf("task (-made +read):\n%s", diff)
	}
	old, err := ReadSnapshot([]byte(`{"task_id":7,"title":"of version 1"}`))
	if err != nil || old.ID != 7 || old.Timezone != UTC || old.Recurrence != "none" {
		t.Errorf("%+v, %v; want the defaults", old, err)
	}
}

func TestSyncNamesWhatChanged(t *testing.T) {
	day := noon.Add(24 * time.Hour)
	full := Patch{
		Title: ptr("b"), Description: ptr("c"), Completed: ptr(true), Priority: ptr(High), Tags: ptr([]string{"d"}), DueDate: &day, RemindAt: &noon,
		RemindBefore: ptr(ptr(5)), Timezone: ptr("Europe/Berlin"), Channels: ptr([]string{"sms"}), Recurrence: ptr("daily"), RecurrenceEnd: &day,
	}
	for name, tt := range map[string]struct {
		change Change
		want   string
	}{
		"toggle": {Change{Action: Toggle, UserID: "u1"}, `"action":"completed","fields_changed":["completed","completed_at"]`},
		"delete": {Change{Action: Delete, UserID: "u1"}, `"action":"deleted","fields_changed":[]`},
		"all": {Change{Action: Update, UserID: "u1", Patch: full}, `"action":"completed","fields_changed":["title","description","completed",` +
			`"priority","tags","due_date","remind_at","remind_before","timezone","channels","recurrence","recurrence_end","completed_at"]`},
	} {
		got, err := tt.change.Apply(groceries(), Reminder{}, 0, noon, eventID)
		if err != nil {
			t.Fatal(err)
		}
		if payload := string(got.Events[1].Payload); !strings.Contains(payload, tt.want) {
			t.Errorf("%s: %s\nwant %s", name, payload, tt.want)
		}
	}
}

// The largest task that passes Validate, every character six bytes in JSON, still
// makes an event that can be published.
func TestLargestTaskFitsAnEvent(t *testing.T) {
	tags := make([]string, MaxTags)
	for i := range tags {
		tags[i] = string(rune('a'+i)) + strings.Repeat("\x01", MaxTag-1)
	}
	channels := make([]string, MaxChannels)
	for i := range channels {
		channels[i] = string(rune('a'+i)) + strings.Repeat("\x01", MaxChannel-1)
	}
	c := Change{Action: Create, UserID: strings.Repeat("\x01", MaxUserID), Patch: Patch{
		Title:       ptr(strings.Repeat("\x01", MaxTitle)),
		Description: ptr(strings.Repeat("\x01", MaxDescription)),
		Tags:        &tags,
		Recurrence:  ptr("FREQ=YEARLY;BYMONTHDAY=1" + strings.Repeat(",1", (MaxRecurrence-24)/2)),
		Channels:    &channels,
	}}
	if _, err := c.Apply(nil, Reminder{}, 1, noon, eventID); err != nil {
		t.Fatal(err)
	}
}
