package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tracksModel is a publisher that looks at what is under way.
type tracksModel struct {
	mu         sync.Mutex
	underWay   map[string]bool // keys
	calls      int             // now
	most       int             // calls at once
	mostBytes  int
	bytes      int
	got        map[string][]string // data by topic and key
	wrong      []string
	gate       chan struct{} // calls wait for it when it is there
	refuseData string
}

func (m *tracksModel) Publish(_ context.Context, topic string, batch []Message) []error {
	m.mu.Lock()
	m.calls++
	m.most = max(m.most, m.calls)
	if len(batch) > streamBatch {
		m.wrong = append(m.wrong, fmt.Sprint(len(batch), " in a call"))
	}
	var errs []error
	ids := map[string]bool{}
	for i, msg := range batch {
		if ids[msg.ID] {
			m.wrong = append(m.wrong, "two entries "+msg.ID)
		}
		ids[msg.ID] = true
		if msg.Key != "" && m.underWay[msg.Key] && !slices.ContainsFunc(batch[:i], func(o Message) bool { return o.Key == msg.Key }) {
			m.wrong = append(m.wrong, "key "+msg.Key+" in two calls")
		}
		m.underWay[msg.Key] = true
		m.bytes += len(msg.Data)
		if m.refuseData != "" && string(msg.Data) == m.refuseData {
			errs = make([]error, len(batch))
			errs[i] = ErrRefused
			continue
		}
		place := topic + " " + msg.Key
		m.got[place] = append(m.got[place], string(msg.Data))
	}
	m.mostBytes = max(m.mostBytes, m.bytes)
	m.mu.Unlock()
	if m.gate != nil {
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range batch {
		delete(m.underWay, msg.Key)
		m.bytes -= len(msg.Data)
	}
	m.calls--
	return errs
}

func newTracksModel() *tracksModel {
	return &tracksModel{underWay: map[string]bool{}, got: map[string][]string{}}
}

func TestStreamKeepsTheOrderOfAKey(t *testing.T) {
	m := newTracksModel()
	want := map[string][]string{}
	const n = 20000
	messages := func(yield func(int, Posting) bool) {
		for i := range n {
			key, topic := fmt.Sprint("k", i%37), fmt.Sprint("t", i/37%2)
			if i%5 == 0 {
				key = ""
			}
			data := fmt.Sprint(i)
			want[topic+" "+key] = append(want[topic+" "+key], data)
			if !yield(i, Posting{topic, Message{ID: "same", Key: key, Data: []byte(data)}}) {
				return
			}
		}
	}
	settled := make([]int, n)
	Stream(t.Context(), m, messages, func(i int, err error) {
		if err != nil {
			t.Error(i, err)
		}
		settled[i]++
	})
	if i := slices.IndexFunc(settled, func(times int) bool { return times != 1 }); i >= 0 {
		t.Errorf("message %d settled %d times", i, settled[i])
	}
	for _, topic := range []string{"t0 ", "t1 "} { // without a key there is no order
		slices.Sort(want[topic])
		slices.Sort(m.got[topic])
	}
	if diff := cmp.Diff(want, m.got); diff != "" {
		t.Errorf("(-want +got):\n%.2000s", diff)
	}
	if len(m.wrong) > 0 || m.most > streamCalls {
		t.Errorf("%d calls at once; %v", m.most, m.wrong)
	}
}

// Calls go out at once: a message doesn't wait for others, nor for another call.
func TestStreamCallsAtOnce(t *testing.T) {
	m := newTracksModel()
	m.gate = make(chan struct{})
	messages := func(yield func(int, Posting) bool) {
		for i := range streamCalls {
			if !yield(i, Posting{"t", Message{Data: []byte("x")}}) {
				return
			}
		}
		until(t, 20*time.Second, "all calls are under way", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.calls == streamCalls
		})
		close(m.gate)
	}
	Stream(t.Context(), m, messages, func(int, error) {})
}

func TestStreamTellsWhichOneFailed(t *testing.T) {
	m := newTracksModel()
	m.refuseData = "7"
	messages := func(yield func(int, Posting) bool) {
		for i := range 50 {
			if !yield(i, Posting{"t", Message{Key: "k", Data: fmt.Append(nil, i)}}) {
				return
			}
		}
	}
	var failed []int
	Stream(t.Context(), m, messages, func(i int, err error) {
		if err != nil {
			failed = append(failed, i)
		}
	})
	if diff := cmp.Diff([]int{7}, failed); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// However large the messages, what is taken and not settled is bounded.
func TestStreamBoundsItsMemory(t *testing.T) {
	m := newTracksModel()
	m.gate = make(chan struct{})
	data := []byte(strings.Repeat("x", 20<<20))
	taken := 0
	messages := func(yield func(int, Posting) bool) {
		for i := range 6 {
			if taken++; taken == 4 {
				close(m.gate) // three of 20 MiB fit; the fourth waits until one is settled
			}
			if !yield(i, Posting{"t", Message{Data: data}}) {
				return
			}
		}
	}
	Stream(t.Context(), m, messages, func(int, error) {})
	if m.mostBytes > streamBytes {
		t.Errorf("%d bytes at once", m.mostBytes)
	}
}
