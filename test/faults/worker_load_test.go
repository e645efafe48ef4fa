//go:build unix

package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// wishers make tasks with reminders, move and delete some of them, and complete tasks of
// series. They remember what they were promised.
type wishers struct {
	apis   []string
	http   *http.Client
	turns  chan struct{}
	stop   context.CancelFunc
	over   sync.WaitGroup
	wished atomic.Int64

	mu       sync.Mutex
	wishes   []checker.Reminder
	unwanted []checker.Reminder
	series   []int64
	answers  map[int]int // by status; 0 for none
}

func startWishers(ctx context.Context, seed uint64, rate int, apis []string) *wishers {
	ctx, stop := context.WithCancel(ctx)
	w := &wishers{
		apis: apis, stop: stop, turns: make(chan struct{}), answers: map[int]int{},
		http: &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: clients}},
	}
	w.over.Go(func() { w.pace(ctx, rate) })
	for number := range clients {
		random := rand.New(rand.NewPCG(seed, uint64(100+number)))
		w.over.Go(func() { w.run(ctx, fmt.Sprintf("user%d", number), random) })
	}
	return w
}

func (w *wishers) finish() {
	w.stop()
	w.over.Wait()
	w.http.CloseIdleConnections()
}

func (w *wishers) pace(ctx context.Context, rate int) {
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		select {
		case w.turns <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

func (w *wishers) run(ctx context.Context, user string, random *rand.Rand) {
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-w.turns:
		}
		title := fmt.Sprintf("%s, %d", user, n)
		if random.IntN(100) < 8 {
			w.recur(ctx, random, user, title)
		} else {
			w.remind(ctx, random, user, title)
		}
	}
}

// A wished is a task as the API answers with it.
type wished struct {
	ID        int64
	Completed bool
	RemindAt  *time.Time `json:"remind_at"`
}

// recur makes a task of a series and completes it.
func (w *wishers) recur(ctx context.Context, random *rand.Rand, user, title string) {
	t, ok := w.ask(ctx, random, http.MethodPost, user, "", map[string]any{"title": title, "recurrence": "daily", "due_date": "2035-01-01T09:00:00Z"})
	if !ok {
		return
	}
	if t, ok = w.ask(ctx, random, http.MethodPost, user, fmt.Sprintf("/%d/complete", t.ID), nil); ok && t.Completed {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.series = append(w.series, t.ID)
	}
}

// early is how long before its time a reminder is to be taken back so that it can't have
// fallen due.
const early = time.Second

// remind makes a task with a reminder and, for some, changes its mind.
func (w *wishers) remind(ctx context.Context, random *rand.Rand, user, title string) {
	soon := func() string {
		return time.Now().Add(500*time.Millisecond + time.Duration(random.Int64N(int64(5*time.Second)))).UTC().Format(time.RFC3339Nano)
	}
	t, ok := w.ask(ctx, random, http.MethodPost, user, "", map[string]any{"title": title, "remind_at": soon()})
	if !ok || t.RemindAt == nil {
		return
	}
	first := t
	path := fmt.Sprintf("/%d", t.ID)
	switch dice := random.IntN(100); {
	case dice < 10:
		t, ok = w.ask(ctx, random, http.MethodPut, user, path, map[string]any{"remind_at": soon()})
	case dice < 16:
		t, ok = w.ask(ctx, random, http.MethodDelete, user, path, nil)
		t.RemindAt = nil
	case dice < 22:
		t, ok = w.ask(ctx, random, http.MethodPost, user, path+"/complete", nil)
		t.RemindAt = nil
	}
	if ok {
		w.promised(first, t, time.Now())
	}
}

// promised remembers what the last answer says.
func (w *wishers) promised(first, last wished, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last.RemindAt != nil {
		w.wishes = append(w.wishes, checker.ReminderAt(first.ID, *last.RemindAt))
		w.wished.Add(1)
	}
	if moved := last.RemindAt == nil || !last.RemindAt.Equal(*first.RemindAt); moved && now.Before(first.RemindAt.Add(-early)) {
		w.unwanted = append(w.unwanted, checker.ReminderAt(first.ID, *first.RemindAt))
	}
}

// ask sends a request once; false is for everything but a 2xx.
func (w *wishers) ask(ctx context.Context, random *rand.Rand, method, user, path string, body map[string]any) (wished, bool) {
	var t wished
	text, err := json.Marshal(body)
	if err != nil {
		return t, false
	}
	url := fmt.Sprintf("http://%s/api/%s/tasks%s", w.apis[random.IntN(len(w.apis))], user, path)
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return t, false
	}
	request.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(request)
	if err != nil {
		w.answered(0)
		return t, false
	}
	defer resp.Body.Close()
	w.answered(resp.StatusCode)
	if resp.StatusCode/100 != 2 || json.NewDecoder(resp.Body).Decode(&t) != nil {
		return t, false
	}
	return t, true
}

func (w *wishers) answered(status int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[status]++
}
