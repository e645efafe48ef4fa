package task

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestReminderAt(t *testing.T) {
	due, remind := noon.Add(time.Hour), noon.Add(time.Minute)
	for name, tt := range map[string]struct {
		task Task
		want *time.Time
	}{
		"none":                     {Task{DueDate: &due}, nil},
		"at a time":                {Task{RemindAt: &remind}, &remind},
		"before the due date":      {Task{DueDate: &due, RemindBefore: ptr(60)}, &noon},
		"at the due date":          {Task{DueDate: &due, RemindBefore: ptr(0)}, &due},
		"both: the time":           {Task{DueDate: &due, RemindBefore: ptr(5), RemindAt: &remind}, &remind},
		"minutes without due date": {Task{RemindBefore: ptr(5)}, nil},
		"completed":                {Task{RemindAt: &remind, Completed: true}, nil},
	} {
		if diff := cmp.Diff(tt.want, tt.task.ReminderAt()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A task's reminder through its life: what each change does to it, and its event.
func TestChangesMoveTheReminder(t *testing.T) {
	due := Timestamp(noon.Add(3 * time.Hour))
	at := func(hour int) *time.Time { return ptr(Timestamp(noon.Add(time.Duration(hour) * time.Hour))) }
	var current *Task
	var reminder Reminder
	for _, tt := range []struct {
		name   string
		change Change
		kind   string // "" for no event
		state  ReminderState
		due    time.Time
	}{
		{"create without", Change{Action: Create, Patch: Patch{Title: ptr("a"), DueDate: &due}}, "", "", time.Time{}},
		{"complete without", Change{Action: Toggle}, "", "", time.Time{}},
		{"reopen without", Change{Action: Toggle}, "", "", time.Time{}},
		{"set", Change{Action: Update, Patch: Patch{RemindBefore: ptr(ptr(60))}}, TypeScheduled, Scheduled, *at(2)},
		{"rename", Change{Action: Update, Patch: Patch{Title: ptr("b")}}, "", Scheduled, *at(2)},
		{"move the due date", Change{Action: Update, Patch: Patch{DueDate: at(5)}}, TypeScheduled, Scheduled, *at(4)},
		{"the same time otherwise", Change{Action: Update, Patch: Patch{RemindAt: at(4)}}, "", Scheduled, *at(4)},
		{"into the past", Change{Action: Update, Patch: Patch{RemindAt: at(-1)}}, TypeScheduled, Scheduled, *at(-1)},
		{"take away", Change{Action: Update, Patch: Patch{RemindAt: &time.Time{}, RemindBefore: new(*int)}}, TypeCancelled, Cancelled, *at(-1)},
		{"set again", Change{Action: Update, Patch: Patch{RemindAt: at(-1)}}, TypeScheduled, Scheduled, *at(-1)},
		{"complete", Change{Action: Toggle}, TypeCancelled, Cancelled, *at(-1)},
		{"reopen", Change{Action: Toggle}, TypeScheduled, Scheduled, *at(-1)},
		{"delete", Change{Action: Delete}, TypeCancelled, Cancelled, *at(-1)},
	} {
		tt.change.UserID = "u1"
		got, err := tt.change.Apply(current, reminder, 123, noon, eventID)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		want := reminder.Sequence
		if tt.kind != "" {
			want++
			if len(got.Events) != 3 || got.Events[2].Type != tt.kind || got.Events[2].Topic != RemindersTopic || got.Events[2].Sequence != want {
				t.Errorf("%s: events %+v, want a third of type %s, sequence %d", tt.name, got.Events, tt.kind, want)
			}
		} else if len(got.Events) != 2 {
			t.Errorf("%s: %d events, want none of the reminder", tt.name, len(got.Events))
		}
		if (got.Reminder != nil) != (tt.kind != "") {
			t.Errorf("%s: reminder %+v to be stored", tt.name, got.Reminder)
		}
		if got.Reminder != nil {
			reminder = *got.Reminder
		}
		if reminder.State != tt.state || !reminder.DueAt.Equal(tt.due) || reminder.Sequence != want {
			t.Errorf("%s: reminder %+v, want %s for %s at %d", tt.name, reminder, tt.state, tt.due, want)
		}
		current = &got.Task
	}
}

// What was sent isn't sent again for the same time, also when the task is reopened.
func TestSentReminderStaysSent(t *testing.T) {
	for _, state := range []ReminderState{Sent, Missed} {
		done := groceries()
		done.RemindAt, done.Completed, done.CompletedAt = ptr(Timestamp(noon)), true, ptr(Timestamp(noon))
		sent := Reminder{TaskID: 123, DueAt: Timestamp(noon), State: state, Sequence: 2}
		got, err := Change{Action: Toggle, UserID: "u1"}.Apply(done, sent, 0, noon, eventID)
		if err != nil || got.Reminder != nil {
			t.Errorf("%s, reopened: %+v, %v; want no new reminder", state, got.Reminder, err)
		}
		got, err = Change{Action: Update, UserID: "u1", Patch: Patch{Completed: ptr(false), RemindAt: ptr(noon.Add(time.Hour))}}.Apply(done, sent, 0, noon, eventID)
		if err != nil || got.Reminder == nil || got.Reminder.Sequence != 3 {
			t.Errorf("%s, moved: %+v, %v; want it scheduled", state, got.Reminder, err)
		}
	}
}

func TestFallDue(t *testing.T) {
	t0 := Timestamp(noon)
	scheduled := Reminder{TaskID: 123, DueAt: t0, State: Scheduled, Sequence: 1}
	task := *groceries()
	task.Channels = []string{"email", "push"}
	for name, tt := range map[string]struct {
		after time.Duration
		state ReminderState
		want  string
	}{
		"on time":               {400 * time.Millisecond, Sent, `"late":false,"delay_ms":400}`},
		"late":                  {10 * time.Minute, Sent, `"late":true,"delay_ms":600000}`},
		"the latest":            {time.Hour, Sent, `"late":true,"delay_ms":3600000}`},
		"too late":              {time.Hour + time.Microsecond, Missed, ""},
		"a clock that is ahead": {-time.Second, Sent, `"late":false,"delay_ms":0}`},
	} {
		got, events, err := scheduled.FallDue(task, time.Hour, t0.Add(tt.after), eventID)
		if err != nil || got.State != tt.state {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, tt.state)
		}
		if tt.want == "" {
			if events != nil || got.Sequence != 1 {
				t.Errorf("%s: %+v and %d events, want none", name, got, len(events))
			}
			continue
		}
		want := `"data":{"task_id":123,"title":"Buy groceries","user_id":"u1","remind_at":"2026-02-17T12:00:00.123456Z","due_date":null,` +
			`"channels":["email","push"],"timezone":"UTC",` + tt.want + "}}"
		if len(events) != 1 || events[0].Type != TypeDue || events[0].Sequence != 2 || got.Sequence != 2 || !strings.HasSuffix(string(events[0].Payload), want) {
			t.Errorf("%s: events %+v\n%s\nwant %s", name, events, events[0].Payload, want)
		}
	}
}
