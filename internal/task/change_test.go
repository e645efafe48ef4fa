package task

import (
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
		ID: 123, UserID: "u1", Title: "Buy groceries", Priority: Medium, Tags: []string{}, Recurrence: "none",
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
			got, err := tt.change.Apply(tt.current, 123, noon.Add(time.Hour), eventID)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Events) != 1 {
				t.Fatalf("events = %d, want 1", len(got.Events))
			}
			want := int64(1)
			if tt.current != nil {
				want = tt.current.Sequence + 1
			}
			event := got.Events[0]
			if event.Type != tt.kind || event.Sequence != want || got.Task.Sequence != want {
				t.Errorf("event %s sequence %d, task sequence %d; want %s and %d", event.Type, event.Sequence, got.Task.Sequence, tt.kind, want)
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
			if _, err := tt.change.Apply(tt.current, 0, noon, eventID); !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
		})
	}
}

func TestApplyWithoutEffectHasNoEvent(t *testing.T) {
	c := Change{Action: Update, UserID: "u1", Patch: Patch{Title: ptr(" Buy groceries "), Tags: ptr([]string{})}}
	got, err := c.Apply(groceries(), 0, noon.Add(time.Hour), eventID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Outcome{Task: *groceries()}, got); diff != "" {
		t.Errorf("outcome (-want +got):\n%s", diff)
	}
}

// The event as consumers get it; docs/design.md shows this very format.
func TestEventPayload(t *testing.T) {
	c := Change{
		Action: Create, UserID: "u1", Traceparent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
		Patch: Patch{Title: ptr("Buy groceries"), Tags: ptr([]string{"home", " home", "food"}), DueDate: ptr(noon.Add(48 * time.Hour))},
	}
	got, err := c.Apply(nil, 123, noon, eventID)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"specversion":"1.0","id":"0198c2a0-0000-7000-8000-000000000001","source":"todo-backend","type":"task.created",` +
		`"subject":"tasks/123","time":"2026-02-17T12:00:00.123456Z","datacontenttype":"application/json","partitionkey":"123","sequence":"1",` +
		`"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","traceid":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",` +
		`"data":{"event_type":"task.created","timestamp":"2026-02-17T12:00:00.123456Z","user_id":"u1","data":{"task_id":123,"user_id":"u1",` +
		`"title":"Buy groceries","description":"","completed":false,"priority":"medium","tags":["home","food"],` +
		`"due_date":"2026-02-19T12:00:00.123456Z","remind_at":null,"recurrence":"none","recurrence_end":null,` +
		`"created_at":"2026-02-17T12:00:00.123456Z","updated_at":"2026-02-17T12:00:00.123456Z","completed_at":null,"sequence":1}}}`
	if diff := cmp.Diff(want, string(got.Events[0].Payload)); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	if key := got.Events[0].Key(); key != "123" {
		t.Errorf("key = %q, want 123", key)
	}
}

// The largest task that passes Validate, every character six bytes in JSON, still
// makes an event that can be published.
func TestLargestTaskFitsAnEvent(t *testing.T) {
	tags := make([]string, MaxTags)
	for i := range tags {
		tags[i] = string(rune('a'+i)) + strings.Repeat("\x01", MaxTag-1)
	}
	c := Change{Action: Create, UserID: strings.Repeat("\x01", MaxUserID), Patch: Patch{
		Title:       ptr(strings.Repeat("\x01", MaxTitle)),
		Description: ptr(strings.Repeat("\x01", MaxDescription)),
		Tags:        &tags,
		Recurrence:  ptr("FREQ=DAILY;" + strings.Repeat("\x01", MaxRecurrence-11)),
	}}
	if _, err := c.Apply(nil, 1, noon, eventID); err != nil {
		t.Fatal(err)
	}
}
