package worker

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/task"
)

var noon = time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)

// A fakeStore keeps receipts and deliveries as store.Store does. Its clock is time.Now.
type fakeStore struct {
	mu       sync.Mutex
	task     *task.Task // the only one there is
	receipts map[string]bool
	owed     map[string]task.Delivery
	causes   []string // of PutOff
	changes  []task.Change
	err      error   // of Handle, Handled and Accept
	markErrs []error // of Delivered, PutOff and GiveUp, in turn
	markTook time.Duration
}

func (s *fakeStore) Task(context.Context, string, int64) (task.Task, error) {
	if s.task == nil {
		return task.Task{}, task.ErrNotFound
	}
	return *s.task, nil
}

func (s *fakeStore) Handle(_ context.Context, consumer, id string, c *task.Change) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, consumer := range consumers {
		if s.receipts[consumer+" "+id] {
			handled = append(handled, consumer)
		}
	}
	return handled, s.err
}

func (s *fakeStore) Accept(_ context.Context, instead, id string, owed []task.Delivery) (fresh []task.Delivery, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range owed {
		key := d.Consumer + " " + id
		if s.err == nil && !s.receipts[instead+" "+id] && !s.receipts[key] {
			d.EventID, d.ReceivedAt = id, time.Now()
			s.receipts[key], s.owed[key] = true, d
			fresh = append(fresh, d)
		}
	}
	return fresh, s.err
}

func (s *fakeStore) ClaimDeliveries(_ context.Context, limit int, lease time.Duration) (claimed []task.Delivery, next time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, d := range s.owed {
		if !d.Due.After(time.Now()) && len(claimed) < limit {
			d.Due = time.Now().Add(lease)
			s.owed[key] = d
			claimed = append(claimed, d)
		}
	}
	for _, d := range s.owed {
		if next.IsZero() || d.Due.Before(next) {
			next = d.Due
		}
	}
	return claimed, next, nil
}

// mark changes a delivery, unless the next mark is to fail.
func (s *fakeStore) mark(d task.Delivery, change func(key string)) error {
	<-time.After(s.markTook)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.markErrs) > 0 {
		err := s.markErrs[0]
		s.markErrs = s.markErrs[1:]
		return err
	}
	change(d.Consumer + " " + d.EventID)
	return nil
}

func (s *fakeStore) Delivered(_ context.Context, d task.Delivery) error {
	return s.mark(d, func(key string) { delete(s.owed, key) })
}

func (s *fakeStore) GiveUp(_ context.Context, d task.Delivery) error {
	return s.mark(d, func(key string) { delete(s.owed, key); delete(s.receipts, key) })
}

func (s *fakeStore) PutOff(_ context.Context, d task.Delivery, until time.Time, cause error) error {
	return s.mark(d, func(key string) {
		d.Due = until
		if cause != nil {
			d.Attempts++
			s.causes = append(s.causes, cause.Error())
		}
		s.owed[key] = d
	})
}

// A fakePublisher keeps what was published.
type fakePublisher struct {
	mu      sync.Mutex
	errs    []error // in turn
	letters []letter
}

type letter struct {
	Topic, Key string
	Event      map[string]any
}

func (p *fakePublisher) Publish(_ context.Context, topic, key string, event []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errs) > 0 {
		err := p.errs[0]
		p.errs = p.errs[1:]
		return err
	}
	l := letter{Topic: topic, Key: key}
	p.letters = append(p.letters, l)
	return json.Unmarshal(event, &p.letters[len(p.letters)-1].Event)
}

// A fakeChannel answers with its errors in turn and then delivers.
type fakeChannel struct {
	mu    sync.Mutex
	hangs bool // until its context ends
	errs  []error
	sent  []notify.Notification
	at    []time.Time // of every attempt
}

func (c *fakeChannel) Send(ctx context.Context, n notify.Notification) error {
	if c.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = append(c.at, time.Now())
	if len(c.errs) > 0 {
		err := c.errs[0]
		c.errs = c.errs[1:]
		return err
	}
	c.sent = append(c.sent, n)
	return nil
}

// A rig is a worker with all that stands around it. Those that notify run in a
// synctest bubble.
type rig struct {
	t         *testing.T
	store     *fakeStore
	publisher *fakePublisher
	a, b      *fakeChannel
	registry  *prometheus.Registry
	worker    *Worker
	handler   http.Handler
}

func newRig(t *testing.T, quiet string) *rig {
	t.Helper()
	r := &rig{
		t: t, store: &fakeStore{receipts: map[string]bool{}, owed: map[string]task.Delivery{}}, publisher: &fakePublisher{},
		a: &fakeChannel{}, b: &fakeChannel{}, registry: prometheus.NewRegistry(),
	}
	settings, err := notify.Parse([]byte("channels: {a: {type: log}, b: {type: log}}\ndefault: {channels: [a, b], quiet: \"" + quiet + "\"}"))
	if err != nil {
		t.Fatal(err)
	}
	fan := notify.NewFan()
	fan.Add("a", r.a, time.Second)
	fan.Add("b", r.b, time.Second)
	r.worker = New(Options{
		Store: r.store, Publisher: r.publisher, Notify: settings, Fan: fan, Token: "secret", Group: "workers",
		Retry: Retry{Attempts: 3, MaxLateness: 24 * time.Hour}, Metrics: r.registry,
	})
	r.handler = r.worker.Handler()
	return r
}

// runs runs a test in a bubble of its own, at a time, and the worker with it.
func runs(t *testing.T, at time.Time, quiet string, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(at)) // of the bubble
		r := newRig(t, quiet)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- r.worker.Run(ctx) }()
		synctest.Wait()
		test(t, r)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// after lets a time pass.
func after(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
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
	if strings.TrimSpace(got) != `{"status":"`+string(want)+`"}` {
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
	if len(r.store.owed) != 2 {
		t.Errorf("%d notifications", len(r.store.owed))
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
			runs(t, noon, "none", func(t *testing.T, r *rig) {
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
					"dlqconsumer": "workers", "dlqtopic": tt.topic, "dlqpartition": "2", "dlqoffset": "41", "dlqkey": "7",
				}
				got := map[string]any{}
				for key := range want {
					got[key] = l.Event[key]
				}
				if diff := cmp.Diff(want, got); diff != "" || l.Topic != tt.topic+"-dlq" || l.Key != "7" || l.Event["id"] == nil || l.Event["dlqfirst"] == nil {
					t.Errorf("dead letter %+v (-want +got):\n%s", l, diff)
				}
				if len(r.store.owed)+len(r.store.changes) != 0 {
					t.Error("it had an effect")
				}
			})
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

// A dead letter is noted, so a record that comes again has one: but for what was in flight
// when the worker died.
func TestOneDeadLetter(t *testing.T) {
	poison := `{"specversion":"1.0","id":"1","type":"reminder.due","data":{"n":1}}`
	wants := func(t *testing.T, r *rig, what, body string, want status, letters int) {
		t.Helper()
		r.wants(what, r.deliver("reminders", body), want)
		if n := len(r.publisher.letters); n != letters {
			t.Errorf("%s: %d dead letters, want %d", what, n, letters)
		}
	}
	r := newRig(t, "none")
	r.store.err = task.ErrUnavailable
	wants(t, r, "with the database away", poison, retry, 0)
	r.store.err = nil
	wants(t, r, "first", poison, success, 1)
	wants(t, r, "again", strings.Replace(poison, `"id"`, `"traceid":"x","id"`, 1), success, 1)
	wants(t, r, "another record at the same place, of a topic that was made anew", strings.Replace(poison, `"n":1`, `"n":2`, 1), success, 2)
	if dead, repeated := r.count(task.TypeDue, resultDead), r.count(task.TypeDue, resultRepeated); dead != 2 || repeated != 1 {
		t.Errorf("%d dead and %d repeated", dead, repeated)
	}
	clear(r.store.receipts) // as when it died between the broker's ack and the note
	wants(t, r, "not noted", poison, success, 3)
}
