package publish

import (
	"context"
	"hash/maphash"
	"iter"
	"strconv"
	"sync"
)

const (
	streamCalls = 8        // under way at once
	streamBatch = 100      // messages in a call
	streamBytes = 64 << 20 // taken and not settled; a single message may be larger
)

// A Posting is a message with the topic it goes to.
type Posting struct {
	Topic string
	Message
}

// Stream publishes messages as they come, in up to 8 calls at once of up to 100
// messages each, and returns when each is settled. Messages of one key are never in
// two calls at once, and stand in their order within a call: they are on the topic in
// the order in which they came, unless a call fails in part. A message's ID isn't used.
//
// The key K tells which message is settled: settled is called once for each, never
// twice at a time, with what Publish says of it. Stream waits for the next message
// without bound, and takes none while 64 MiB wait to be settled.
func Stream[K any](ctx context.Context, p Publisher, messages iter.Seq2[K, Posting], settled func(K, error)) {
	s := stream[K]{publisher: p, settled: settled}
	s.room.L = &s.mu
	var tracks [streamCalls]chan item[K]
	var running sync.WaitGroup
	for i := range tracks {
		tracks[i] = make(chan item[K], 2*streamBatch)
		running.Go(func() { s.follow(ctx, tracks[i]) })
	}
	seed, next := maphash.MakeSeed(), uint64(0)
	for key, m := range messages {
		track := next // one without a key may take any
		if m.Key != "" {
			track = maphash.String(seed, m.Key)
		}
		next++
		s.enter(len(m.Data))
		tracks[track%streamCalls] <- item[K]{key, m}
	}
	for _, track := range tracks {
		close(track)
	}
	running.Wait()
}

// A stream is one run of Stream.
type stream[K any] struct {
	publisher Publisher

	mu      sync.Mutex
	room    sync.Cond
	bytes   int // of messages taken and not settled
	settled func(K, error)
}

type item[K any] struct {
	key K
	Posting
}

func (s *stream[K]) enter(size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.bytes > 0 && s.bytes+size > streamBytes {
		s.room.Wait()
	}
	s.bytes += size
}

// follow publishes what comes on a track, one call after the other: all that waits, up
// to a batch, of one topic.
func (s *stream[K]) follow(ctx context.Context, track <-chan item[K]) {
	var batch []item[K]
	flush := func() {
		if len(batch) > 0 {
			s.publish(ctx, batch)
			batch = batch[:0]
		}
	}
	for {
		var it item[K]
		var more bool
		select {
		case it, more = <-track:
		default:
			flush()
			it, more = <-track
		}
		if !more {
			flush()
			return
		}
		if len(batch) == streamBatch || len(batch) > 0 && it.Topic != batch[0].Topic {
			flush()
		}
		batch = append(batch, it)
	}
}

func (s *stream[K]) publish(ctx context.Context, batch []item[K]) {
	messages := make([]Message, len(batch))
	for i, it := range batch {
		it.ID = strconv.Itoa(i) // an event may come twice, an entry of a call may not
		messages[i] = it.Message
	}
	errs := s.publisher.Publish(ctx, batch[0].Topic, messages)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, it := range batch {
		s.bytes -= len(it.Data)
		var err error
		if errs != nil {
			err = errs[i]
		}
		s.settled(it.key, err)
	}
	s.room.Broadcast()
}
