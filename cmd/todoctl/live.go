package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/server"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/task"
)

const (
	// rememberAtStart is how many records of each partition a replica reads back when
	// it begins, for the clients of the one that it replaces.
	rememberAtStart = 1000

	// retryLive is how long a reader waits that couldn't go on.
	retryLive = 500 * time.Millisecond
)

// liveUpdates makes the hub of the API's streams and runs its reader, which reads
// nothing until the first stream comes. Without Kafka there is none.
func (b *backend) liveUpdates(ctx context.Context) *server.Hub {
	if profileOf(b.cfg) != stack.Kafka {
		return nil
	}
	l := newLiveReader(b.brokers, b.logs.of("live"), server.HubOptions{Metrics: b.registry})
	b.life.run(ctx, "live updates", l.run)
	return l.hub
}

// A liveReader reads the updates of tasks into a hub: all partitions, from a place
// of its own, in no group. Every replica has one and sees every update.
type liveReader struct {
	brokers kafka.Options
	hub     *server.Hub
	log     *slog.Logger
	begun   bool // the hub has a place in the log

	mu   sync.Mutex
	told bool // of trouble
}

func newLiveReader(brokers kafka.Options, log *slog.Logger, o server.HubOptions) *liveReader {
	l := &liveReader{brokers: brokers, log: log}
	o.Replay = l.replay
	l.hub = server.NewHub(o)
	return l
}

// run reads until ctx ends, whatever the brokers do.
func (l *liveReader) run(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-l.hub.Wanted():
	}
	for ctx.Err() == nil {
		if err := l.read(ctx); ctx.Err() == nil {
			l.tell(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryLive):
		}
	}
	return nil
}

// tell logs an outage once, and its end.
func (l *liveReader) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && !l.told:
		l.log.Warn("live updates wait", "topic", task.UpdatesTopic, "err", err)
	case err == nil && l.told:
		l.log.Info("live updates go on", "topic", task.UpdatesTopic)
	}
	l.told = err != nil
}

// errLogChanged says that what was to be read isn't in the log any more.
var errLogChanged = errors.New("the log isn't what it was: records were deleted or lost, or the topic was made anew")

func (l *liveReader) read(ctx context.Context) error {
	if !l.begun {
		if err := l.begin(ctx); err != nil {
			return err
		}
		l.begun = true
	}
	err := l.follow(ctx)
	if errors.Is(err, errLogChanged) || errors.Is(err, server.ErrOutOfStep) || errors.Is(err, kerr.OffsetOutOfRange) {
		l.begun = false
	}
	return err
}

// begin gives the hub its place: the present end of the log, with what lies right
// before it.
func (l *liveReader) begin(ctx context.Context) error {
	var end server.Position
	err := l.tail(ctx, kafka.TailOptions{ExitAtEnd: true, Resolved: func(ctx context.Context, cl *kgo.Client, spans kafka.Spans) error {
		log, err := logName(ctx, cl)
		if err != nil {
			return err
		}
		partitions := spans[task.UpdatesTopic]
		from := server.Position{Log: log, Offsets: make([]int64, len(partitions))}
		end = server.Position{Log: log, Offsets: make([]int64, len(partitions))}
		for p, s := range partitions {
			s.From = max(s.From, s.To-rememberAtStart)
			partitions[p] = s
			from.Offsets[p], end.Offsets[p] = s.From, s.To
		}
		l.hub.Begin(from)
		return nil
	}}, l.hub.Publish)
	if err == nil {
		l.hub.Open(end)
	}
	return err
}

// follow reads on from where the hub is.
func (l *liveReader) follow(ctx context.Context) error {
	at := l.hub.Position()
	return l.tail(ctx, kafka.TailOptions{Trouble: l.tell, Resolved: func(ctx context.Context, cl *kgo.Client, spans kafka.Spans) error {
		if err := sameLog(ctx, cl, at); err != nil {
			return err
		}
		for p, s := range spans[task.UpdatesTopic] {
			next := at.At(p)
			if next < s.From || next > s.End {
				return errLogChanged
			}
			s.From = next
			spans[task.UpdatesTopic][p] = s
		}
		l.tell(nil)
		return nil
	}}, l.hub.Publish)
}

// replay reads what lies between two positions, for a client that was away for
// longer than the hub remembers.
func (l *liveReader) replay(ctx context.Context, from, to server.Position, emit func([]server.Record) error) error {
	return l.tail(ctx, kafka.TailOptions{ExitAtEnd: true, Resolved: func(ctx context.Context, cl *kgo.Client, spans kafka.Spans) error {
		if err := sameLog(ctx, cl, to); err != nil {
			return err
		}
		for p, s := range spans[task.UpdatesTopic] {
			if from.At(p) < s.From || to.At(p) > s.To {
				return errLogChanged
			}
			s.From, s.To = from.At(p), to.At(p)
			spans[task.UpdatesTopic][p] = s
		}
		return nil
	}}, emit)
}

// tail reads the topic. Nothing is skipped silently: an offset that isn't in the log
// any more is an error. Fetches are small, so that memory is.
func (l *liveReader) tail(ctx context.Context, t kafka.TailOptions, emit func([]server.Record) error) error {
	t.Topics = []string{task.UpdatesTopic}
	return kafka.Tail(ctx, l.brokers, t, func(records []*kgo.Record) error { return emit(toRecords(records)) },
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxBytes(4<<20), kgo.FetchMaxPartitionBytes(1<<20))
}

func toRecords(records []*kgo.Record) []server.Record {
	converted := make([]server.Record, len(records))
	for i, r := range records {
		converted[i] = server.Record{Partition: r.Partition, Offset: r.Offset}
		if e, ok := kafka.ParseEvent(r); ok && e.Type == task.TypeSync {
			converted[i].Data = e.Data
		}
	}
	return converted
}

func sameLog(ctx context.Context, cl *kgo.Client, at server.Position) error {
	log, err := logName(ctx, cl)
	if err == nil && log != at.Log {
		err = errLogChanged
	}
	return err
}

// logName tells the topic from another of its name, by the id that brokers give to
// topics (KIP-516); one that gives none has zeros.
func logName(ctx context.Context, cl *kgo.Client) (string, error) {
	found, err := kadm.NewClient(cl).ListTopics(ctx, task.UpdatesTopic)
	if err != nil {
		return "", fmt.Errorf("read the id of topic %q: %w", task.UpdatesTopic, err)
	}
	id := found[task.UpdatesTopic].ID
	return hex.EncodeToString(id[:4]), nil
}
