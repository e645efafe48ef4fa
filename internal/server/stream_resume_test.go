package server

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// A memlog is a log of three partitions that may be read again.
type memlog struct {
	mu      sync.Mutex
	records []Record
	reads   atomic.Int32
	fail    error
}

// write appends n changes of u1's and u2's tasks by turns to random partitions.
func (l *memlog) write(random *rand.Rand, n int) []Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	var next [3]int64
	for _, r := range l.records {
		next[r.Partition] = r.Offset + 1
	}
	from := len(l.records)
	for i := range n {
		p := random.Int32N(3)
		next[p] += random.Int64N(2) // logs have gaps
		l.records = append(l.records, change(p, next[p], fmt.Sprint("u", 1+i%2), from+i+1))
		next[p]++
	}
	return l.records[from:]
}

func (l *memlog) replay(_ context.Context, from, to Position, emit func([]Record) error) error {
	l.reads.Add(1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return l.fail
	}
	for p := range int32(3) { // partition by partition, as a broker may answer
		for _, r := range l.records {
			if r.Partition == p && r.Offset >= from.At(p) && r.Offset < to.At(p) {
				if err := emit([]Record{r}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// shuffled is another order of the records that keeps that of each partition.
func shuffled(random *rand.Rand, records []Record) []Record {
	var byPartition [3][]Record
	for _, r := range records {
		byPartition[r.Partition] = append(byPartition[r.Partition], r)
	}
	var mixed []Record
	for len(mixed) < len(records) {
		if p := random.IntN(3); len(byPartition[p]) > 0 {
			mixed = append(mixed, byPartition[p][0])
			byPartition[p] = byPartition[p][1:]
		}
	}
	return mixed
}

// A client that is cut off at any event and comes back to any of two replicas, which
// read the partitions in orders of their own and remember much or nothing, gets
// every change of its tasks once.
func TestResumeHasNoGapAndNoRepeat(t *testing.T) {
	for _, remembered := range []int{1, 2 << 10, 8 << 20} {
		t.Run(fmt.Sprint(remembered), func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(remembered)))
			log := &memlog{}
			records := log.write(random, 60)
			var urls []string
			for range 2 {
				h := openHub(HubOptions{Replay: log.replay, Remembered: remembered})
				publish(t, h, shuffled(random, records)...)
				urls = append(urls, overLoopback(t, h)+"/api/u1/tasks/stream")
			}
			want := make(map[int]int)
			for i := 1; i <= 60; i += 2 {
				want[i] = 1
			}
			got := make(map[int]int)
			for id, left := start0().String(), 30; left > 0; {
				n := min(1+random.IntN(4), left)
				c := listen(t, urls[random.IntN(2)], id)
				for _, task := range c.events(n) {
					got[task]++
				}
				id, left = c.id, left-n
				c.body.Close()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if read := log.reads.Load() > 0; read != (remembered < 8<<20) {
				t.Errorf("read the log: %v", read)
			}
		})
	}
}

// What comes while the log is read again for a client isn't lost between the two.
func TestResumeWhileChangesCome(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	log := &memlog{}
	h := openHub(HubOptions{Remembered: 4 << 10})
	h.o.Replay = func(ctx context.Context, from, to Position, emit func([]Record) error) error {
		err := log.replay(ctx, from, to, emit)
		if log.reads.Load() < 5 {
			publish(t, h, log.write(random, 100)...) // more than the hub remembers
		}
		return err
	}
	publish(t, h, log.write(random, 200)...)
	url := overLoopback(t, h) + "/api/u1/tasks/stream"
	seen := make(map[int]bool)
	for _, task := range listen(t, url, start0().String()).events(300) {
		seen[task] = true
	}
	if len(seen) != 300 || log.reads.Load() != 5 {
		t.Errorf("%d changes in 300 events, %d reads", len(seen), log.reads.Load())
	}
}

// A large part is written in pieces, none of them held while it is written.
func TestResumeInPieces(t *testing.T) {
	log := &memlog{}
	h := openHub(HubOptions{Replay: log.replay, Remembered: 1})
	long := strings.Repeat("x", 100<<10)
	for i := range 40 {
		r := change(0, int64(i), "u1", i+1)
		r.Data = []byte(strings.Replace(string(r.Data), `"snapshot":{`, `"snapshot":{"x":"`+long+`",`, 1))
		log.records = append(log.records, r)
	}
	publish(t, h, log.records...)
	equal(t, listen(t, overLoopback(t, h)+"/api/u1/tasks/stream", "a-0").events(40), span(1, 40))
	if n := log.reads.Load(); n != 4 {
		t.Errorf("%d reads", n)
	}
}

func TestResumeResetsWhatItCannotResume(t *testing.T) {
	log := &memlog{}
	h := openHub(HubOptions{Replay: log.replay, Remembered: 1})
	publish(t, h, log.write(rand.New(rand.NewPCG(1, 1)), 20)...)
	url := overLoopback(t, h) + "/api/u1/tasks/stream"
	here := h.Position().String()
	for _, c := range []struct{ id, reason string }{
		{"17", "Last-Event-ID must be the id of an event of this stream"},
		{"b-0.0.0", "the position is of another log"},
	} {
		equal(t, listen(t, url, c.id).event(), block{ID: here, Event: "reset", Data: fmt.Sprintf(`{"reason":%q}`, c.reason)})
	}
	log.fail = errors.New("gone")
	equal(t, listen(t, url, "a-0.0.0").event().Data, `{"reason":"the updates since that position couldn't be read"}`)

	publish(t, h, change(2, resumeRecords+1000, "u2", 1))
	equal(t, listen(t, url, here).event().Data, `{"reason":"the position is too far back"}`)
	h.o.Replay = nil
	equal(t, listen(t, url, "a-1.1.1").event().Data, `{"reason":"the position is too far back"}`)
}

// A replica that isn't as far as the one before waits for itself, but not for ever.
func TestResumeAheadOfTheReplica(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := openHub(HubOptions{})
		s := start(t, newAPI(func(o *Options) { o.Hub = h }), ServeOptions{})
		c := s.stream(t, "a-2.0.0")
		equal(t, c.block(), block{Retry: "1000"})
		publish(t, h, change(0, 0, "u1", 1), change(1, 0, "u1", 2))
		synctest.Wait()
		publish(t, h, change(0, 1, "u1", 3), change(0, 2, "u1", 4))
		equal(t, c.events(2), []int{2, 4})

		lost := s.stream(t, "a-9.0.0")
		equal(t, lost.event().Data, `{"reason":"the position wasn't reached in time"}`)
		h.Close()
		s.stop()
		if err := <-s.result; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// Many that come back at once take turns in reading the log.
func TestResumeTakesTurns(t *testing.T) {
	log := &memlog{}
	var reading, most atomic.Int32
	h := openHub(HubOptions{Remembered: 1, MaxPerUser: 50, Replay: func(ctx context.Context, from, to Position, emit func([]Record) error) error {
		most.Store(max(most.Load(), reading.Add(1)))
		defer reading.Add(-1)
		return log.replay(ctx, from, to, emit)
	}})
	publish(t, h, log.write(rand.New(rand.NewPCG(1, 1)), 20)...)
	url := overLoopback(t, h) + "/api/u1/tasks/stream"
	var clients sync.WaitGroup
	for range 50 {
		clients.Go(func() {
			seen := make(map[int]bool)
			for _, task := range listen(t, url, "a-0.0.0").events(10) {
				seen[task] = true
			}
			if len(seen) != 10 {
				t.Errorf("got %v", seen)
			}
		})
	}
	clients.Wait()
	if n := most.Load(); n > 2 {
		t.Errorf("%d reads at a time", n)
	}
	http.DefaultClient.CloseIdleConnections()
}
