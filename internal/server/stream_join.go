package server

import (
	"context"
	"net/http"
	"time"
)

// admit counts a stream in, or refuses it.
func (h *Hub) admit(w http.ResponseWriter, user string) (*subscriber, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case isClosed(h.closed):
		return nil, refuse(http.StatusServiceUnavailable, "the API is stopping, try again in a moment")
	case h.streams >= h.o.MaxStreams:
		return nil, refuse(http.StatusServiceUnavailable, "%d streams are open, which is as many as this server has room for", h.streams)
	case h.byUser[user] >= h.o.MaxPerUser:
		w.Header().Set("Retry-After", "5")
		return nil, refuse(http.StatusTooManyRequests, "the user has %d streams open, close one of them first", h.byUser[user])
	}
	if !isClosed(h.wanted) {
		close(h.wanted)
	}
	h.metrics.streams.Inc()
	h.streams++
	h.byUser[user]++
	return &subscriber{user: user, wake: make(chan struct{}, 1)}, nil
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// leave counts a stream out.
func (h *Hub) leave(s *subscriber) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.metrics.streams.Dec()
	h.part(s)
	h.streams--
	if h.byUser[s.user]--; h.byUser[s.user] == 0 {
		delete(h.byUser, s.user)
	}
}

func (h *Hub) part(s *subscriber) {
	delete(h.joined[s.user], s)
	if len(h.joined[s.user]) == 0 {
		delete(h.joined, s.user)
	}
}

// A standing is how a position relates to what the hub has.
type standing int

const (
	standsJoined    standing = iota // it was there: the stream is joined
	standsShut                      // unknown: the hub isn't open
	standsAhead                     // the hub hasn't come so far yet
	standsForgotten                 // the log has to be read, up to the position returned
	standsForeign                   // it is of another log
)

// join lets the stream go on from a position, with all that came since; the zero
// position is where the hub is.
func (h *Hub) join(s *subscriber, from Position) (standing, Position) {
	h.mu.Lock()
	defer h.mu.Unlock()
	next := h.ring.next
	fresh := from.Offsets == nil
	switch {
	case !h.open:
		return standsShut, Position{}
	case !fresh && from.Log != next.Log:
		return standsForeign, Position{}
	case !fresh && !next.reaches(from):
		return standsAhead, Position{}
	case !fresh && !from.reaches(h.ring.base):
		return standsForgotten, next.clone()
	}
	if !fresh {
		s.pending = h.ring.since(from, s.user)
		s.alert()
	}
	if h.joined[s.user] == nil {
		h.joined[s.user] = make(map[*subscriber]struct{})
	}
	h.joined[s.user][s] = struct{}{}
	return standsJoined, next.clone()
}

// take hands over what waits for the stream. id is the position of the hub with all
// of it, "" while the hub isn't open; slow tells that the client is to be cut off.
func (h *Hub) take(s *subscriber) (batch []message, id string, slow bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	batch, s.pending, s.waiting = s.pending, nil, 0
	if h.open {
		id = h.id
	}
	return batch, id, s.slow
}

// gaveUp reports whether the stream was cut off for taking less than came.
func (h *Hub) gaveUp(s *subscriber) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return s.slow
}

// awaitMove waits until the hub gets on, ctx ends or the hub is closed.
func (h *Hub) awaitMove(ctx context.Context, ready func() bool) bool {
	for {
		h.mu.Lock()
		if h.moved == nil {
			h.moved = make(chan struct{})
		}
		moved := h.moved
		h.mu.Unlock()
		if ready() {
			return true
		}
		select {
		case <-ctx.Done():
			return false
		case <-h.closed:
			return false
		case <-moved:
		}
	}
}

func (h *Hub) isOpen() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.open
}

// awaitOpen waits for the hub to open, for so long at most.
func (h *Hub) awaitOpen(ctx context.Context, wait time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return h.awaitMove(ctx, h.isOpen)
}
