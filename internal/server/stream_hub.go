package server

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// HubOptions tune a Hub; the zero value is good, but nothing older than what the
// hub remembers can be resumed with it.
type HubOptions struct {
	// Replay reads the records of the log from one position up to another and hands
	// them to emit, those of a partition in their order. It fails when some of them
	// are gone, or when emit does. Two run at a time.
	Replay func(ctx context.Context, from, to Position, emit func([]Record) error) error

	Metrics prometheus.Registerer // nil for none

	MaxStreams int // at once; 0 is 2,000
	MaxPerUser int // of these; 0 is 20
	Remembered int // bytes of updates for clients that come back; 0 is 8 MiB
	Backlog    int // bytes that may wait for one client before it is cut; 0 is 256 KiB
}

// A Hub hands the updates of tasks to the streams of their users. One reader feeds
// it: Begin, Publish what lies right before the end of the log, Open, and Publish
// whatever comes. It never waits for a client.
//
// A stream gets every update of its user once, in the order of each partition, from
// the position on where it joined; where that can't be kept it gets a reset.
type Hub struct {
	o       HubOptions
	metrics *streamMetrics
	replays chan struct{} // holds one for each replay under way
	wanted  chan struct{} // closed when the first stream comes
	closed  chan struct{}

	mu      sync.Mutex
	ring    ring
	id      string                              // of the position of the ring
	open    bool                                // streams may join
	moved   chan struct{}                       // closed at the next change of id or open; nil while nobody waits
	streams int                                 // admitted
	byUser  map[string]int                      // admitted
	joined  map[string]map[*subscriber]struct{} // by user
}

// A subscriber is one stream, as the hub sees it. The hub's lock is its lock.
type subscriber struct {
	user    string
	wake    chan struct{} // has one when pending or slow changed
	pending []message
	waiting int  // bytes of pending that count against the backlog
	slow    bool // more came than the client took: it is cut off
}

// NewHub makes a hub. It panics when its metrics are registered already.
func NewHub(o HubOptions) *Hub {
	o.MaxStreams = cmp.Or(o.MaxStreams, 2000)
	o.MaxPerUser = cmp.Or(o.MaxPerUser, 20)
	o.Remembered = cmp.Or(o.Remembered, 8<<20)
	o.Backlog = cmp.Or(o.Backlog, 256<<10)
	return &Hub{
		o: o, metrics: newStreamMetrics(o.Metrics),
		replays: make(chan struct{}, 2), wanted: make(chan struct{}), closed: make(chan struct{}),
		ring:   ring{limit: o.Remembered},
		byUser: make(map[string]int), joined: make(map[string]map[*subscriber]struct{}),
	}
}

// Wanted is closed when the first stream comes: until then nothing needs to be read.
func (h *Hub) Wanted() <-chan struct{} { return h.wanted }

// Close ends all streams at once; others are refused.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !isClosed(h.closed) {
		close(h.closed)
	}
}

// Begin forgets all that was read. The hub goes on at the position, and is closed
// to new streams until Open.
func (h *Hub) Begin(at Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring.begin(at)
	h.open = false
}

// Open lets streams join at the position, up to which everything was published.
// Those that had joined before Begin are told to start again.
func (h *Hub) Open(at Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open = true
	h.ring.next.passAll(at)
	h.move()
	for _, subscribers := range h.joined {
		for s := range subscribers {
			s.pending, s.waiting = []message{resetMessage(h.id, "the log of updates isn't what it was")}, 0
			s.alert()
		}
	}
}

// ErrOutOfStep says that a record isn't behind those that were published before:
// the log has lost records. The hub must begin anew.
var ErrOutOfStep = errors.New("the log went back to records that were read already")

// Position is where the hub is; it has no offsets before Begin.
func (h *Hub) Position() Position {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ring.next.clone()
}

// Publish takes the next records of the log.
func (h *Hub) Publish(records []Record) error {
	updates := make([]*update, len(records))
	for i, r := range records {
		updates[i] = r.update()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, r := range records {
		if r.Offset < h.ring.next.At(r.Partition) {
			return ErrOutOfStep
		}
		h.ring.add(r.Partition, r.Offset, updates[i])
		if updates[i] != nil && h.open {
			h.fanOut(updates[i])
		}
	}
	h.move()
	return nil
}

// fanOut adds an update to what waits for its user's streams.
func (h *Hub) fanOut(u *update) {
	subscribers := h.joined[u.user]
	if len(subscribers) == 0 {
		return
	}
	m := message{h.ring.next.String(), u.text}
	for s := range subscribers {
		if len(s.pending) > 0 && s.waiting+len(m.text) > h.o.Backlog {
			s.slow, s.pending = true, nil
			h.metrics.cut.WithLabelValues(cutSlow).Inc()
			h.part(s)
		} else {
			s.pending = append(s.pending, m)
			s.waiting += len(m.text)
		}
		s.alert()
	}
}

// move wakes those that wait for the hub to get on.
func (h *Hub) move() {
	h.id = h.ring.next.String()
	if h.moved != nil {
		close(h.moved)
		h.moved = nil
	}
}

// alert wakes the stream; one that wasn't woken yet needs no second call.
func (s *subscriber) alert() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
