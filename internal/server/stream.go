package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

const (
	// heartbeat is how often something is written to a stream: proxies close
	// connections that are silent for longer, often after 30 or 60 seconds.
	heartbeat = 15 * time.Second

	// streamWrite is how long a client may take to accept what is written at once.
	streamWrite = 5 * time.Second

	// openWait is how long a client waits for its answer while the hub hasn't found
	// its place in the log. Later it is answered, and told to reload when the hub has.
	openWait = 2 * time.Second

	// resumeWait bounds the way from a client's position to the present.
	resumeWait = 10 * time.Second
)

// stream answers with server-sent events (HTML standard, 9.2): each change of the
// user's tasks from now on, or from Last-Event-ID on.
func (s *server) stream(w *response, r *http.Request) error {
	user, err := userOf(w, r)
	if err != nil {
		return err
	}
	if s.hub == nil {
		return refuse(http.StatusNotFound, "live updates are read from Kafka, and the broker of this stack is another: read the tasks again instead")
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would collect the events
	if r.Method == http.MethodHead {
		return nil
	}
	subscriber, err := s.hub.admit(w, user)
	if err != nil {
		return err
	}
	defer s.hub.leave(subscriber)
	f := &feed{hub: s.hub, subscriber: subscriber, w: w, control: http.NewResponseController(w)}
	f.end(f.run(r.Context(), r.Header.Get("Last-Event-ID")))
	return nil
}

// A feed writes one stream.
type feed struct {
	hub        *Hub
	subscriber *subscriber
	w          *response
	control    *http.ResponseController
}

// What ends a stream beside its client.
var (
	errSlow    = errors.New("the client takes less than comes")
	errStopped = errors.New("the server is stopping")
)

func (f *feed) run(ctx context.Context, lastEventID string) error {
	opened := f.hub.awaitOpen(ctx, openWait)
	if err := f.send("retry: 1000\n\n"); err != nil {
		return err
	}
	if !opened {
		if err := f.beatUntilOpen(ctx); err != nil {
			return err
		}
	}
	if err := f.begin(ctx, lastEventID, opened); err != nil {
		return err
	}
	return f.follow(ctx)
}

// begin joins the stream to the hub: where the client was, or at the present. One
// that was answered before the hub had its place can't know what it has missed.
func (f *feed) begin(ctx context.Context, lastEventID string, opened bool) error {
	switch {
	case lastEventID != "":
		return f.resume(ctx, lastEventID)
	case opened:
		return f.beginHere("")
	default:
		return f.beginHere("no live updates could be read for a while")
	}
}

// beginHere joins the stream at the present. A reason resets the client: what it
// has may be old. Without one it learns its position, to resume from it even if
// nothing comes before it is cut off; an id without data is no event.
func (f *feed) beginHere(reason string) error {
	standing, here := f.hub.join(f.subscriber, Position{})
	if standing != standsJoined {
		return errStopped // the hub began anew at this moment: let the client come back
	}
	if reason == "" {
		return f.send("id: " + here.String() + "\n\n")
	}
	return f.write([]message{resetMessage(here.String(), reason)})
}

// beatUntilOpen keeps the connection while the hub has no place in the log.
func (f *feed) beatUntilOpen(ctx context.Context) error {
	for !f.hub.awaitOpen(ctx, heartbeat) {
		if err := f.ended(ctx); err != nil {
			return err
		}
		if err := f.send(":\n\n"); err != nil {
			return err
		}
	}
	return nil
}

// follow writes what comes until the stream ends.
func (f *feed) follow(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		due := false
		select {
		case <-ctx.Done():
		case <-f.hub.closed:
		case <-f.subscriber.wake:
		case <-beat.C:
			due = true
		}
		if err := f.ended(ctx); err != nil {
			return err
		}
		batch, id, slow := f.hub.take(f.subscriber)
		if slow {
			return errSlow
		}
		if err := f.write(batch); err != nil {
			return err
		}
		if due && len(batch) == 0 {
			if err := f.beat(id); err != nil {
				return err
			}
		}
	}
}

// beat writes a comment. The id beside it keeps the client's position young.
func (f *feed) beat(id string) error {
	if id == "" {
		return f.send(":\n\n")
	}
	return f.send(":\nid: " + id + "\n\n")
}

// ended is why the stream is over, nil while it isn't.
func (f *feed) ended(ctx context.Context) error {
	if isClosed(f.hub.closed) {
		return errStopped
	}
	return ctx.Err()
}

func (f *feed) send(text string) error {
	if err := f.put(text); err != nil {
		return err
	}
	return f.control.Flush()
}

// write sends a batch with one flush.
func (f *feed) write(batch []message) error {
	for _, m := range batch {
		if err := f.put("id: " + m.id + "\n"); err != nil {
			return err
		}
		if _, err := f.w.Write(m.text); err != nil {
			return err
		}
	}
	if len(batch) == 0 {
		return nil
	}
	f.hub.metrics.events.Add(float64(len(batch)))
	return f.control.Flush()
}

// put writes text, and gives the client its time for it and for what follows.
func (f *feed) put(text string) error {
	if err := f.control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil {
		return err
	}
	_, err := io.WriteString(f.w, text)
	return err
}

// end counts a stream that this side has ended, unless the hub did when it gave the
// client up. That a client leaves is no failure, and one that is cut off comes back
// by itself.
func (f *feed) end(err error) {
	switch {
	case errors.Is(err, errStopped):
		f.hub.metrics.cut.WithLabelValues(cutStopped).Inc()
	case errors.Is(err, os.ErrDeadlineExceeded) && !f.hub.gaveUp(f.subscriber):
		f.hub.metrics.cut.WithLabelValues(cutStalled).Inc()
	}
	// What net/http has left to write gets its time too.
	_ = f.control.SetWriteDeadline(time.Now().Add(streamWrite))
}
