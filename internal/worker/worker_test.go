package worker

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/task"
)

var noon = time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)

// A fakeStore keeps receipts and attempts as store.Store does.
type fakeStore struct {
	task     *task.Task // the only one there is
	receipts map[string]bool
	attempts map[string]int
	changes  []task.Change
	err      error // of Handle and Handled
}

func (s *fakeStore) Task(context.Context, string, int64) (task.Task, error) {
	if s.task == nil {
		return task.Task{}, task.ErrNotFound
	}
	return *s.task, nil
}

func (s *fakeStore) Handle(_ context.Context, consumer, id string, c *task.Change) (bool, error) {
	if s.err != nil {
		return false, s.err
	}
	if s.receipts[consumer+" "+id] {
		return false, nil
	}
	s.receipts[consumer+" "+id] = true
	if c != nil {
		s.changes = append(s.changes, *c)
	}
	return true, nil
}

func (s *fakeStore) Handled(_ context.Context, id string, consumers []string) (handled []string, err error) {
	for _, consumer := range consumers {
		if s.receipts[consumer+" "+id] {
			handled = append(handled, consumer)
		}
	}
	return handled, s.err
}

func (s *fakeStore) Attempt(_ context.Context, consumer, id string, _ error) (int, time.Time, error) {
	s.attempts[consumer+" "+id]++
	return s.attempts[consumer+" "+id], noon.Add(-time.Minute), nil
}

// A fakePublisher keeps what was published.
type fakePublisher struct {
	err     error
	letters []letter
}

type letter struct {
	Topic, Key string
	Event      map[string]any
}

func (p *fakePublisher) Publish(_ context.Context, topic, key string, event []byte) error {
	if p.err != nil {
		return p.err
	}
	l := letter{Topic: topic, Key: key}
	p.letters = append(p.letters, l)
	return json.Unmarshal(event, &p.letters[len(p.letters)-1].Event)
}

// A fakeChannel answers with its errors in turn and then delivers.
type fakeChannel struct {
	mu   sync.Mutex
	errs []error
	sent []notify.Notification
}

func (c *fakeChannel) Send(_ context.Context, n notify.Notification) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.errs) > 0 {
		err := c.errs[0]
		c.errs = c.errs[1:]
		return err
	}
	c.sent = append(c.sent, n)
	return nil
}

// A rig is a worker with all that stands around it.
type rig struct {
	t         *testing.T
	store     *fakeStore
	publisher *fakePublisher
	a, b      *fakeChannel
	registry  *prometheus.Registry
	now       time.Time
	handler   http.Handler
}

func newRig(t *testing.T, quiet string) *rig {
	t.Helper()
	r := &rig{
		t: t, store: &fakeStore{receipts: map[string]bool{}, attempts: map[string]int{}}, publisher: &fakePublisher{},
		a: &fakeChannel{}, b: &fakeChannel{}, registry: prometheus.NewRegistry(), now: noon,
	}
	settings, err := notify.Parse([]byte("channels: {a: {type: log}, b: {type: log}}\ndefault: {channels: [a, b], quiet: \"" + quiet + "\"}"))
	if err != nil {
		t.Fatal(err)
	}
	fan := notify.NewFan()
	fan.Add("a", r.a, time.Second)
	fan.Add("b", r.b, time.Second)
	r.handler = New(Options{
		Store: r.store, Publisher: r.publisher, Notify: settings, Fan: fan, Token: "secret", Attempts: 3,
		Metrics: r.registry, Now: func() time.Time { return r.now },
	}).Handler()
	return r
}

// deliver hands an event over as Dapr does and returns the answer's body.
func (r *rig) deliver(topic, body string) string {
	r.t.Helper()
	request := httptest.NewRequest(http.MethodPost, "/events/"+topic, strings.NewReader(body))
	for name, value := range map[string]string{
		"dapr-api-token": "secret", "__key": "7", "__partition": "2", "__offset": "41", "__topic": topic, "Content-Type": task.ContentType,
	} {
		request.Header.Set(name, value)
	}
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK {
		r.t.Errorf("status %d: %s", answer.Code, answer.Body)
	}
	return answer.Body.String()
}

func (r *rig) wants(what, got string, want status) {
	r.t.Helper()
	if got != `{"status":"`+string(want)+`"}` {
		r.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// count is how many deliveries of a type had a result.
func (r *rig) count(kind, result string) int {
	r.t.Helper()
	return int(values(r.t, r.registry)["todo_worker_handled_total "+result+" "+kind])
}

// values reads a registry: counters by name and labels, histograms by the count of what
// they observed.
func values(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// events are those of a task with a reminder that recurs, by type.
func events(t *testing.T) map[string]string {
	t.Helper()
	patch, err := task.ParsePatch([]byte(`{"title":"water the plants","due_date":"2026-02-17T13:00:00Z","remind_before":60,"recurrence":"daily"}`))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	keep := func(events []task.Event, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			all[e.Type] = string(e.Payload)
		}
	}
	n := 0
	id := func() string { n++; return "event-" + string(rune('0'+n)) }
	created, err := task.Change{Action: task.Create, UserID: "u1", Patch: patch}.Apply(nil, task.Reminder{}, 7, noon.Add(-time.Hour), id)
	keep(created.Events, err)
	_, due, err := created.Reminder.FallDue(created.Task, time.Hour, noon, id)
	keep(due, err)
	completed, err := task.Change{Action: task.Toggle, UserID: "u1", TaskID: 7}.Apply(&created.Task, *created.Reminder, 0, noon, id)
	keep(completed.Events, err)
	return all
}

func TestEndpointLetsInTheSidecarOnly(t *testing.T) {
	r := newRig(t, "none")
	for token, want := range map[string]int{"": 401, "secre": 401, "secret2": 401, "secret": 200} {
		request := httptest.NewRequest(http.MethodPost, "/events/reminders", strings.NewReader(events(t)[task.TypeDue]))
		request.Header.Set("dapr-api-token", token)
		answer := httptest.NewRecorder()
		r.handler.ServeHTTP(answer, request)
		if answer.Code != want {
			t.Errorf("token %q: %d, want %d", token, answer.Code, want)
		}
	}
	if len(r.a.sent) != 1 {
		t.Errorf("%d notifications", len(r.a.sent))
	}
	health := httptest.NewRecorder()
	r.handler.ServeHTTP(health, httptest.NewRequest(http.MethodGet, "/livez", nil))
	if health.Code != http.StatusNoContent {
		t.Errorf("health without token: %d", health.Code)
	}
	if n := values(t, r.registry)["todo_worker_refused_total"]; n != 3 {
		t.Errorf("%v refused", n)
	}
}

func TestWhatCannotBeHandled(t *testing.T) {
	due := events(t)[task.TypeDue]
	for name, tt := range map[string]struct {
		topic, body  string
		want         status
		kind, result string
		error        string // of the dead letter
	}{
		"no JSON":         {"reminders", `{"a":`, drop, "other", resultDropped, ""},
		"null":            {"reminders", `null`, drop, "other", resultDropped, ""},
		"a list":          {"reminders", `[1]`, drop, "other", resultDropped, ""},
		"too large":       {"reminders", `{"a":"` + strings.Repeat("x", maxBody) + `"}`, drop, "other", resultDropped, ""},
		"no CloudEvent":   {"reminders", `{"a":1}`, success, "other", resultDead, "is no CloudEvent: it has no specversion"},
		"unknown version": {"reminders", strings.Replace(due, `"1.0"`, `"2.0"`, 1), success, task.TypeDue, resultIgnored, ""},
		"unknown type":    {"reminders", strings.ReplaceAll(due, "reminder.due", "reminder.snoozed"), success, "other", resultIgnored, ""},
		"known, nothing":  {"task-events", events(t)[task.TypeCreated], success, task.TypeCreated, resultNothing, ""},
		"no id":           {"reminders", strings.Replace(due, `"id"`, `"di"`, 1), success, task.TypeDue, resultDead, "has no id: a repeat couldn't be told"},
		"id too odd":      {"reminders", strings.Replace(due, `"id":"`, `"id":7,"x":"`, 1), success, task.TypeDue, resultDead, "has no id: a repeat couldn't be told"},
		"no data":         {"reminders", `{"specversion":"1.0","id":"1","type":"reminder.due"}`, success, task.TypeDue, resultDead, "unexpected end of JSON input"},
		"wrong data":      {"reminders", strings.Replace(due, `"task_id":7`, `"task_id":"7"`, 1), success, task.TypeDue, resultDead, "task_id has the wrong type, string"},
		"half a task":     {"task-events", `{"specversion":"1.0","id":"1","type":"task.completed","data":{"data":{}}}`, success, task.TypeCompleted, resultDead, "the event has no task_id or no user_id"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, "none")
			r.wants("answer", r.deliver(tt.topic, tt.body), tt.want)
			if n := r.count(tt.kind, tt.result); n != 1 {
				t.Errorf("%d deliveries of %s are %s", n, tt.kind, tt.result)
			}
			if (tt.error != "") != (len(r.publisher.letters) == 1) {
				t.Fatalf("dead letters %v", r.publisher.letters)
			}
			if tt.error == "" {
				return
			}
			l := r.publisher.letters[0]
			want := map[string]any{
				"dlqreason": "invalid", "dlqerror": tt.error, "dlqattempts": "1", "dlqlast": "2026-02-17T12:00:00Z",
				"dlqtopic": tt.topic, "dlqpartition": "2", "dlqoffset": "41", "dlqkey": "7",
			}
			got := map[string]any{}
			for key := range want {
				got[key] = l.Event[key]
			}
			if diff := cmp.Diff(want, got); diff != "" || l.Topic != tt.topic+"-dlq" || l.Key != "7" || l.Event["id"] == nil || l.Event["dlqfirst"] == nil {
				t.Errorf("dead letter %+v (-want +got):\n%s", l, diff)
			}
			if len(r.a.sent)+len(r.store.changes) != 0 {
				t.Error("it had an effect")
			}
		})
	}
}

// A path that nobody subscribed to must not be answered with 404, which drops the event.
func TestUnknownPathHoldsTheEvent(t *testing.T) {
	r := newRig(t, "none")
	request := httptest.NewRequest(http.MethodPost, "/reminders", strings.NewReader("{}"))
	request.Header.Set("dapr-api-token", "secret")
	answer := httptest.NewRecorder()
	r.handler.ServeHTTP(answer, request)
	r.wants("answer", answer.Body.String(), retry)
}

func TestNextTaskOfASeries(t *testing.T) {
	for _, name := range []string{"task.completed", "task_completed", "completed"} {
		r := newRig(t, "none")
		completed := strings.ReplaceAll(events(t)[task.TypeCompleted], `"task.completed"`, `"`+name+`"`)
		r.store.err = task.ErrUnavailable
		r.wants("with the database away", r.deliver("task-events", completed), retry)
		r.store.err = nil
		for range 2 {
			r.wants(name, r.deliver("task-events", completed), success)
		}
		if len(r.store.changes) != 1 || r.store.changes[0].PreviousID != 7 || *r.store.changes[0].Patch.DueDate != noon.Add(25*time.Hour) {
			t.Errorf("%s: %+v, want one next task", name, r.store.changes)
		}
		if len(r.store.attempts) != 0 {
			t.Errorf("%s: attempts %v while the database was away", name, r.store.attempts)
		}
		got := []int{r.count(task.TypeCompleted, resultRetried), r.count(task.TypeCompleted, resultHandled), r.count(task.TypeCompleted, resultRepeated)}
		if diff := cmp.Diff([]int{1, 1, 1}, got); diff != "" {
			t.Errorf("%s: results (-want +got):\n%s", name, diff)
		}
	}
	r := newRig(t, "none")
	r.wants("no series", r.deliver("task-events", strings.Replace(events(t)[task.TypeCompleted], `"daily"`, `"none"`, 1)), success)
	if r.count(task.TypeCompleted, resultNothing) != 1 || len(r.store.receipts) != 0 {
		t.Errorf("no series: receipts %v", r.store.receipts)
	}
}

// A retry reaches only the channels that failed.
func TestNotifiesEachChannelOnce(t *testing.T) {
	r := newRig(t, "none")
	due := events(t)[task.TypeDue]
	r.b.errs = []error{errors.New("busy"), &notify.Error{Err: errors.New("busy again")}}
	r.now = noon.Add(90 * time.Second)
	for i, want := range []status{retry, retry, success, success} {
		r.wants("delivery "+string(rune('1'+i)), r.deliver("reminders", due), want)
	}
	if len(r.a.sent) != 1 || len(r.b.sent) != 1 || len(r.publisher.letters) != 0 {
		t.Fatalf("a told %d times, b %d times, %d dead letters", len(r.a.sent), len(r.b.sent), len(r.publisher.letters))
	}
	want := notify.Notification{
		ID: r.a.sent[0].ID, TaskID: 7, UserID: "u1", Title: "water the plants", Due: noon.Add(time.Hour), RemindAt: noon, Late: true,
	}
	if diff := cmp.Diff(want, r.a.sent[0]); diff != "" || want.ID == "" || r.b.sent[0].ID != want.ID {
		t.Errorf("notification (-want +got):\n%s", diff)
	}
	if got := values(t, r.registry)["todo_reminder_delivery_delay_seconds"]; got != 1 || r.count(task.TypeDue, resultRepeated) != 1 {
		t.Errorf("%v delays, %d repeated", got, r.count(task.TypeDue, resultRepeated))
	}
}

func TestDeadLetterAfterAttempts(t *testing.T) {
	r := newRig(t, "none")
	due := events(t)[task.TypeDue]
	r.b.errs = []error{errors.New("1"), errors.New("2"), errors.New("3"), errors.New("4"), errors.New("5"), errors.New("6"), errors.New("7")}
	r.publisher.err = errors.New("broker away")
	for i, want := range []status{retry, retry, retry} {
		r.wants("delivery "+string(rune('1'+i)), r.deliver("reminders", due), want)
	}
	r.publisher.err = nil
	for i, want := range []status{retry, retry, success} {
		r.wants("delivery "+string(rune('4'+i)), r.deliver("reminders", due), want)
	}
	if len(r.publisher.letters) != 1 {
		t.Fatalf("dead letters %v", r.publisher.letters)
	}
	said := r.publisher.letters[0].Event
	if said["dlqreason"] != "attempts" || said["dlqattempts"] != "6" || said["dlqerror"] != "b: 6" || said["dlqconsumer"] != "notify" || said["dlqfirst"] != "2026-02-17T11:59:00Z" {
		t.Errorf("dead letter %v", said)
	}
	if said["type"] != task.TypeDue || said["data"] == nil || said["subject"] != "tasks/7" {
		t.Errorf("dead letter %v isn't the event", said)
	}
	// Redriven, with what the first death said of it: only b is told.
	redriven, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	r.wants("redriven, fails", r.deliver("reminders", string(redriven)), retry)
	r.wants("redriven", r.deliver("reminders", string(redriven)), success)
	if len(r.a.sent) != 1 || len(r.b.sent) != 1 {
		t.Errorf("a told %d times, b %d times", len(r.a.sent), len(r.b.sent))
	}
}

func TestPermanentFailureIsDeadAtOnce(t *testing.T) {
	refused := &notify.Error{Permanent: true, Err: errors.New("refused")}
	r := newRig(t, "none")
	r.b.errs = []error{refused}
	r.wants("refused", r.deliver("reminders", events(t)[task.TypeDue]), success)
	if len(r.a.sent) != 1 || len(r.publisher.letters) != 1 || r.publisher.letters[0].Event["dlqreason"] != "permanent" {
		t.Errorf("a told %d times, dead letters %v", len(r.a.sent), r.publisher.letters)
	}
	// Beside a failure that may pass, the event lives on.
	r = newRig(t, "none")
	r.a.errs, r.b.errs = []error{refused}, []error{errors.New("busy")}
	r.wants("refused and busy", r.deliver("reminders", events(t)[task.TypeDue]), retry)
	if len(r.publisher.letters) != 0 {
		t.Errorf("dead letters %v", r.publisher.letters)
	}
}

// In quiet hours the reminder is moved to their end, with the note in one transaction.
func TestQuietHoursPutOff(t *testing.T) {
	end := noon.Add(time.Hour)
	current := task.Task{ID: 7, UserID: "u1", RemindAt: &noon, Sequence: 4}
	r := newRig(t, "11:00-13:00")
	r.store.task = &current
	for range 2 {
		r.wants("quiet", r.deliver("reminders", events(t)[task.TypeDue]), success)
	}
	r.now = end // what was put off is over also when it comes once more
	r.wants("afterwards", r.deliver("reminders", events(t)[task.TypeDue]), success)
	want := []task.Change{{Action: task.Update, UserID: "u1", TaskID: 7, IfMatch: []int64{4}, Patch: task.Patch{RemindAt: &end}}}
	if diff := cmp.Diff(want, r.store.changes); diff != "" || len(r.a.sent) != 0 {
		t.Errorf("%d told; changes (-want +got):\n%s", len(r.a.sent), diff)
	}
	if held, repeated := r.count(task.TypeDue, resultHeld), r.count(task.TypeDue, resultRepeated); held != 1 || repeated != 2 {
		t.Errorf("%d held, %d repeated", held, repeated)
	}

	for name, now := range map[string]*task.Task{
		"deleted":   nil,
		"moved":     {ID: 7, UserID: "u1", RemindAt: &end, Sequence: 5},
		"completed": {ID: 7, UserID: "u1", RemindAt: &noon, Completed: true, Sequence: 5},
	} {
		r := newRig(t, "11:00-13:00")
		r.store.task = now
		r.wants(name, r.deliver("reminders", events(t)[task.TypeDue]), success)
		if len(r.store.changes) != 0 || r.count(task.TypeDue, resultNothing) != 1 {
			t.Errorf("%s: changes %+v", name, r.store.changes)
		}
	}
	r = newRig(t, "11:00-13:00")
	r.store.task, r.store.err = &current, nil
	r.store.receipts["notify:a event-"] = true // of another event
	r.wants("other receipts", r.deliver("reminders", events(t)[task.TypeDue]), success)
	if r.count(task.TypeDue, resultHeld) != 1 {
		t.Error("not held")
	}
}
