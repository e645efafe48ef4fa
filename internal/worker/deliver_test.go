package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/notify"
	"github.com/todoctl/todoctl/internal/task"
)

// busy are n errors that may pass.
func busy(n int) []error {
	var errs []error
	for i := range n {
		errs = append(errs, fmt.Errorf("busy %d", i+1))
	}
	return errs
}

// A retry reaches only the channel that failed, and comes later each time.
func TestNotifiesEachChannelOnce(t *testing.T) {
	runs(t, noon.Add(90*time.Second), "none", func(t *testing.T, r *rig) {
		due := events(t)[task.TypeDue]
		r.b.errs = busy(2)
		begin := time.Now()
		r.wants("delivery", r.deliver("reminders", due), success)
		after(time.Minute)
		r.wants("once more", r.deliver("reminders", due), success)
		after(time.Minute)
		if len(r.a.sent) != 1 || len(r.b.sent) != 1 || len(r.publisher.letters) != 0 || len(r.store.owed) != 0 {
			t.Fatalf("a told %d times, b %d times, %d dead letters, owed %v", len(r.a.sent), len(r.b.sent), len(r.publisher.letters), r.store.owed)
		}
		want := notify.Notification{
			ID: r.a.sent[0].ID, TaskID: 7, UserID: "u1", Title: "water the plants", Due: noon.Add(time.Hour), RemindAt: noon, Late: true,
		}
		if diff := cmp.Diff(want, r.a.sent[0]); diff != "" || want.ID == "" || r.b.sent[0].ID != want.ID {
			t.Errorf("notification (-want +got):\n%s", diff)
		}
		if d := r.b.at[1].Sub(begin); d < time.Second || d > 1300*time.Millisecond {
			t.Errorf("second attempt after %s, want 1 s and up to a quarter", d)
		}
		if d := r.b.at[2].Sub(r.b.at[1]); d < 2*time.Second || d > 2600*time.Millisecond {
			t.Errorf("third attempt %s later, want 2 s and up to a quarter", d)
		}
		got := []int{
			r.count(task.TypeDue, resultAccepted), r.count(task.TypeDue, resultRepeated), r.count(task.TypeDue, resultRetried),
			r.count(task.TypeDue, resultHandled), int(values(t, r.registry)["todo_reminder_delivery_delay_seconds"]),
		}
		if diff := cmp.Diff([]int{1, 1, 2, 2, 2}, got); diff != "" {
			t.Errorf("accepted, repeated, retried, handled, delays (-want +got):\n%s", diff)
		}
	})
}

func TestDeadLetterAfterAttempts(t *testing.T) {
	runs(t, noon, "none", func(t *testing.T, r *rig) {
		r.b.errs = busy(8)
		r.publisher.errs = []error{errors.New("broker away")}
		r.wants("delivery", r.deliver("reminders", events(t)[task.TypeDue]), success)
		after(time.Hour)
		if len(r.publisher.letters) != 1 {
			t.Fatalf("dead letters %v", r.publisher.letters)
		}
		// The fourth attempt is there because the letter of the third couldn't be published.
		said := r.publisher.letters[0].Event
		if said["dlqreason"] != "attempts" || said["dlqattempts"] != "4" || said["dlqerror"] != "b: busy 4" || said["dlqconsumer"] != "workers" ||
			said["dlqfirst"] != "2026-02-17T12:00:00Z" || said["dlqoffset"] != "41" || said["dlqkey"] != "7" {
			t.Errorf("dead letter %v", said)
		}
		if said["type"] != task.TypeDue || said["data"] == nil || said["subject"] != "tasks/7" {
			t.Errorf("dead letter %v isn't the event", said)
		}
		// Redriven, with what the first death said of it, it has as many attempts again, and
		// only b is told. It is acknowledged after its first attempt.
		said["redrivecount"] = "1"
		redriven, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		r.wants("redriven", r.deliver("reminders", string(redriven)), success)
		r.b.mu.Lock()
		attempts := len(r.b.at)
		r.b.mu.Unlock()
		if attempts != 5 {
			t.Errorf("%d attempts when it was acknowledged, want 5", attempts)
		}
		after(time.Hour)
		r.wants("redriven again", r.deliver("reminders", string(redriven)), success)
		after(time.Hour)
		if len(r.a.sent) != 1 || len(r.b.sent) != 1 || len(r.publisher.letters) != 2 {
			t.Errorf("a told %d times, b %d times, %d dead letters", len(r.a.sent), len(r.b.sent), len(r.publisher.letters))
		}
	})
}

// What is refused is dead at once, and keeps no other channel from trying on.
func TestPermanentFailureIsDeadAtOnce(t *testing.T) {
	runs(t, noon, "none", func(t *testing.T, r *rig) {
		r.a.errs, r.b.errs = []error{&notify.Error{Permanent: true, Err: errors.New("refused")}}, busy(1)
		r.wants("refused", r.deliver("reminders", events(t)[task.TypeDue]), success)
		synctest.Wait()
		if len(r.publisher.letters) != 1 || r.publisher.letters[0].Event["dlqreason"] != "permanent" || r.publisher.letters[0].Event["dlqerror"] != "a: refused" {
			t.Errorf("dead letters %v", r.publisher.letters)
		}
		after(time.Minute)
		if len(r.a.at) != 1 || len(r.b.sent) != 1 {
			t.Errorf("a tried %d times, b told %d times", len(r.a.at), len(r.b.sent))
		}
	})
}

// A receiver's wish is heeded up to an hour; nothing is tried that would be too late.
func TestRetryAfter(t *testing.T) {
	for name, tt := range map[string]struct {
		asked    time.Duration
		at       time.Time
		low      time.Duration
		dead     bool
		attempts int
	}{
		"heeded":                 {time.Minute, noon, time.Minute, false, 2},
		"less than our wait":     {time.Millisecond, noon, time.Second, false, 2},
		"bounded":                {20 * time.Hour, noon, time.Hour, false, 2},
		"too late then":          {time.Hour, noon.Add(23*time.Hour + time.Minute), 0, true, 1},
		"was too late, redriven": {time.Hour, noon.Add(72 * time.Hour), time.Hour, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			runs(t, tt.at, "none", func(t *testing.T, r *rig) {
				r.b.errs = []error{&notify.Error{Err: errors.New("429"), RetryAfter: tt.asked}}
				r.wants("delivery", r.deliver("reminders", events(t)[task.TypeDue]), success)
				after(3 * time.Hour)
				if len(r.b.at) != tt.attempts || (len(r.publisher.letters) == 1) != tt.dead {
					t.Fatalf("%d attempts, dead letters %v", len(r.b.at), r.publisher.letters)
				}
				if !tt.dead && (r.b.at[1].Sub(tt.at) < tt.low || r.b.at[1].Sub(tt.at) > tt.low*5/4+time.Second) {
					t.Errorf("second attempt after %s, want %s and up to a quarter", r.b.at[1].Sub(tt.at), tt.low)
				}
			})
		})
	}
}

// The default schedule lasts for an hour at least.
func TestScheduleOfRetries(t *testing.T) {
	r := Retry{}.orDefaults()
	var sum, last time.Duration
	for n := 1; n < r.Attempts; n++ {
		wait := r.wait(n, errors.New("x"))
		if wait < last*4/5 || wait > r.Most*5/4 {
			t.Errorf("wait %d: %s after %s", n, wait, last)
		}
		sum, last = sum+wait, wait
	}
	if sum < time.Hour || sum > 90*time.Minute {
		t.Errorf("%d attempts span %s", r.Attempts, sum)
	}
}

// A channel that hangs holds up neither the acknowledgment nor its neighbours.
func TestSlowChannelHoldsUpNobody(t *testing.T) {
	runs(t, noon, "none", func(t *testing.T, r *rig) {
		r.b.hangs = true
		begin := time.Now()
		for i := range 2 * maxPlaces {
			body := strings.Replace(events(t)[task.TypeDue], `"id":"`, fmt.Sprintf(`"id":"%d-`, i), 1)
			r.wants("delivery", r.deliver("reminders", body), success)
		}
		if d := time.Since(begin); d != 0 {
			t.Errorf("acknowledged after %s", d)
		}
		after(10 * time.Second) // b has a second for each
		if len(r.a.sent) != 2*maxPlaces {
			t.Errorf("a told %d times", len(r.a.sent))
		}
	})
}

// What is told doesn't wait until what was told before is noted; a stop waits for that.
func TestNotesHoldUpNobody(t *testing.T) {
	var r *rig
	runs(t, noon, "none", func(t *testing.T, running *rig) {
		r = running
		r.store.markTook = time.Second
		for i := range 2 * maxPlaces {
			body := strings.Replace(events(t)[task.TypeDue], `"id":"`, fmt.Sprintf(`"id":"%d-`, i), 1)
			r.wants("delivery", r.deliver("reminders", body), success)
			synctest.Wait()
		}
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		if len(r.a.sent) != 2*maxPlaces || len(r.b.sent) != 2*maxPlaces || len(r.store.owed) != 4*maxPlaces {
			t.Errorf("a told %d times, b %d times, %d owed", len(r.a.sent), len(r.b.sent), len(r.store.owed))
		}
	})
	if len(r.store.owed) != 0 {
		t.Errorf("%d owed after the end", len(r.store.owed))
	}
}

// A stop breaks off what hangs; it counts as no attempt and is due at once. What comes
// while the worker doesn't run is owed all the same.
func TestStopPutsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(noon)) // of the bubble
		r := newRig(t, "none")
		r.worker.lease = time.Minute
		fan := notify.NewFan()
		fan.Add("a", r.a, time.Minute)
		fan.Add("b", r.b, time.Minute)
		r.worker.o.Fan = fan
		r.b.hangs = true
		r.wants("before", r.deliver("reminders", events(t)[task.TypeDue]), success)
		const runTime = 10 * time.Second
		ctx, stop := context.WithTimeout(t.Context(), runTime)
		defer stop()
		if err := r.worker.Run(ctx); err != nil || time.Since(noon) != runTime+stopGrace {
			t.Errorf("%v, ran for %s, want %s and %s", err, time.Since(noon), runTime, stopGrace)
		}
		if len(r.a.sent) != 1 || len(r.store.owed) != 1 || len(r.store.causes) != 0 {
			t.Errorf("a told %d times, owed %v, causes %v", len(r.a.sent), r.store.owed, r.store.causes)
		}
		for _, d := range r.store.owed {
			if d.Due.After(time.Now()) {
				t.Errorf("due in %s, want now", time.Until(d.Due))
			}
		}
	})
}

// What can't be noted is noted later, and the channel isn't told again meanwhile.
func TestSettlingOutlivesTheDatabase(t *testing.T) {
	runs(t, noon, "none", func(t *testing.T, r *rig) {
		r.store.markErrs = []error{task.ErrUnavailable, task.ErrUnavailable, task.ErrUnavailable}
		r.wants("delivery", r.deliver("reminders", events(t)[task.TypeDue]), success)
		after(time.Minute)
		if len(r.a.sent) != 1 || len(r.b.sent) != 1 || len(r.store.owed) != 0 {
			t.Errorf("a told %d times, b %d times, owed %v", len(r.a.sent), len(r.b.sent), r.store.owed)
		}
	})
}

// In quiet hours the reminder is moved to their end, with the note in one transaction.
func TestQuietHoursPutOff(t *testing.T) {
	end := noon.Add(time.Hour)
	current := task.Task{ID: 7, UserID: "u1", RemindAt: &noon, Sequence: 4}
	runs(t, noon, "11:00-13:00", func(t *testing.T, r *rig) {
		r.store.task = &current
		for range 2 {
			r.wants("quiet", r.deliver("reminders", events(t)[task.TypeDue]), success)
		}
		after(time.Hour) // what was put off is over also when it comes once more
		r.wants("afterwards", r.deliver("reminders", events(t)[task.TypeDue]), success)
		after(time.Minute)
		want := []task.Change{{Action: task.Update, UserID: "u1", TaskID: 7, IfMatch: []int64{4}, Patch: task.Patch{RemindAt: &end}}}
		if diff := cmp.Diff(want, r.store.changes); diff != "" || len(r.a.sent) != 0 {
			t.Errorf("%d told; changes (-want +got):\n%s", len(r.a.sent), diff)
		}
		if held, repeated := r.count(task.TypeDue, resultHeld), r.count(task.TypeDue, resultRepeated); held != 1 || repeated != 2 {
			t.Errorf("%d held, %d repeated", held, repeated)
		}
	})
	for name, now := range map[string]*task.Task{
		"deleted":   nil,
		"moved":     {ID: 7, UserID: "u1", RemindAt: &end, Sequence: 5},
		"completed": {ID: 7, UserID: "u1", RemindAt: &noon, Completed: true, Sequence: 5},
	} {
		runs(t, noon, "11:00-13:00", func(t *testing.T, r *rig) {
			r.store.task = now
			r.wants(name, r.deliver("reminders", events(t)[task.TypeDue]), success)
			if len(r.store.changes) != 0 || r.count(task.TypeDue, resultNothing) != 1 {
				t.Errorf("%s: changes %+v", name, r.store.changes)
			}
		})
	}
	// A retry that would come in quiet hours waits for their end, and the task stays as it is.
	runs(t, noon.Add(-500*time.Millisecond), "12:00-13:00", func(t *testing.T, r *rig) {
		r.store.task, r.b.errs = &current, busy(1)
		r.wants("before", r.deliver("reminders", events(t)[task.TypeDue]), success)
		after(10 * time.Second)
		r.wants("comes again in quiet hours", r.deliver("reminders", events(t)[task.TypeDue]), success)
		after(2 * time.Hour)
		if len(r.b.at) != 2 || r.b.at[1].Before(end) || len(r.store.changes) != 0 || len(r.a.sent) != 1 {
			t.Errorf("b tried at %v, a told %d times, changes %v", r.b.at, len(r.a.sent), r.store.changes)
		}
	})
}

// Many events in one request: each has its own answer, and no null or foreign one is
// in the way of the others.
func TestBulk(t *testing.T) {
	runs(t, noon, "none", func(t *testing.T, r *rig) {
		all := events(t)
		entry := func(id, event string) string {
			return fmt.Sprintf(`{"entryId":%q,"event":%s,"metadata":{"__partition":"2","__offset":"%s","__key":"7"}}`, id, event, id)
		}
		send := func(entries ...string) string {
			body := `{"id":"x","type":"com.dapr.event.sent.bulk","topic":"reminders","entries":[` + strings.Join(entries, ",") + `]}`
			request := httptest.NewRequest(http.MethodPost, "/events/reminders", strings.NewReader(body))
			request.Header.Set("dapr-api-token", "secret")
			request.Header.Set("Content-Type", "application/json")
			answer := httptest.NewRecorder()
			r.handler.ServeHTTP(answer, request)
			return strings.TrimSpace(answer.Body.String())
		}
		const ok = `{"statuses":[{"entryId":"0","status":"SUCCESS"},{"entryId":"1","status":"SUCCESS"},{"entryId":"2","status":"SUCCESS"},{"entryId":"3","status":"SUCCESS"}]}`
		if got := send(entry("0", all[task.TypeDue]), entry("1", `{"specversion":"1.0","id":"1"}`), entry("2", "null"), entry("3", all[task.TypeDue])); got != ok {
			t.Errorf("answer %s", got)
		}
		synctest.Wait()
		if len(r.a.sent) != 1 || len(r.publisher.letters) != 1 || r.publisher.letters[0].Event["id"] != "reminders-2-2" || r.publisher.letters[0].Key != "7" {
			t.Errorf("a told %d times, dead letters %v", len(r.a.sent), r.publisher.letters)
		}
		r.store.err = task.ErrUnavailable
		const waits = `{"statuses":[{"entryId":"0","status":"SUCCESS"},{"entryId":"1","status":"RETRY"}]}`
		if got := send(entry("0", `{"specversion":"1.0","id":"1"}`), entry("1", strings.Replace(all[task.TypeDue], `"id":"`, `"id":"2`, 1))); got != waits {
			t.Errorf("answer %s with the database away", got)
		}
		if got := send(); got != `{"statuses":[]}` {
			t.Errorf("answer %s to nothing", got)
		}
	})
}
