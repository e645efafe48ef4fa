package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/input"
	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/load"
	"github.com/todoctl/todoctl/internal/publish"
	"github.com/todoctl/todoctl/internal/topics"
)

const (
	benchPartitions = 3
	benchKeys       = 1000 // different keys

	// arrivalWait is how long after the last answer an event may take to be readable.
	arrivalWait = 10 * time.Second
)

// A bench is one run of the command.
type bench struct {
	benchFlags
	brokers   kafka.Options
	topic     string
	id        string    // of the run, in the id of each event
	began     time.Time // what the times in the ids count from
	publisher publish.Publisher
	progress  func(what string, n int64)
	result    benchResult
}

// prepareTopic looks whether the named topic is there, or makes one. remove deletes
// the one that it has made, also when ctx has ended.
func (b *bench) prepareTopic(ctx context.Context, client *kgo.Client) (remove func() error, err error) {
	b.id, b.began = strings.ReplaceAll(uuid.NewString(), "-", "")[:12], time.Now()
	if b.topic != "" {
		b.result.Topic = b.topic
		_, err := kafka.Range{}.Resolve(ctx, client, kafka.Resolving{Topics: []string{b.topic}})
		return func() error { return nil }, err
	}
	b.topic = "todoctl-bench-" + b.id
	b.result.Topic, b.result.Temporary = b.topic, true
	remove = func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), arrivalWait)
		defer cancel()
		if _, err := kadm.NewClient(client).DeleteTopic(ctx, b.topic); err != nil {
			return fmt.Errorf("delete topic %q: %w; delete it yourself", b.topic, err)
		}
		return nil
	}
	specs := []topics.Spec{{Name: b.topic, Partitions: benchPartitions, ReplicationFactor: 3}}
	state, err := topics.Read(ctx, client, topics.Names(specs))
	if err != nil {
		return nil, err
	}
	if _, err := topics.Apply(ctx, client, topics.Diff(specs, state)); err != nil {
		return nil, errors.Join(err, remove())
	}
	return remove, nil
}

// send publishes the events of a call.
func (b *bench) send(ctx context.Context, c load.Call) error {
	batch := make([]publish.Message, c.Items)
	for i := range batch {
		batch[i] = b.event(c.First+int64(i), c.Due)
	}
	for _, err := range b.publisher.Publish(ctx, b.topic, batch) {
		if err != nil {
			return sendError(b.topic, err)
		}
	}
	return nil
}

// event is a CloudEvent of the wanted size, or as small as it gets. Its id tells its
// number, and when it was due.
func (b *bench) event(n int64, due time.Time) publish.Message {
	m := publish.Message{
		ID:  fmt.Sprintf("%s/%d/%d", b.id, n, due.Sub(b.began).Nanoseconds()),
		Key: strconv.FormatInt(n%benchKeys, 10), ContentType: input.ContentType,
	}
	const end = `"}}`
	m.Data = make([]byte, 0, max(b.size, 256))
	m.Data = fmt.Appendf(m.Data, `{"specversion":"1.0","id":%q,"source":"todoctl","type":"bench","datacontenttype":"application/json","partitionkey":%q,"data":{"pad":"`, m.ID, m.Key)
	for len(m.Data)+len(end) < b.size {
		m.Data = append(m.Data, 'x')
	}
	m.Data = append(m.Data, end...)
	return m
}

// load sends events as the flags say, and notes what came of it.
func (b *bench) load(ctx context.Context, what string, plan load.Plan) error {
	plan.Send = b.send
	if b.progress != nil {
		plan.Progress = func(n int64) { b.progress(what, n) }
	}
	tally, err := plan.Run(ctx)
	b.result.Produced = &benchProduced{benchThroughput: throughput(tally.Items, tally.Items*int64(b.size), tally.Elapsed), Latency: latencies(&tally.Times)}
	return err
}

func (b *bench) produce(ctx context.Context) error { return b.load(ctx, "produced", b.plan()) }

// fill writes what consume reads, in large calls: it isn't what is measured.
func (b *bench) fill(ctx context.Context) error {
	if !b.result.Temporary {
		return nil
	}
	err := b.load(ctx, "filled", load.Plan{Clients: 4, Batch: 1000, Items: b.records})
	b.result.Produced = nil
	return err
}

// consume reads the topic from its start to its end, or for as long as --duration.
func (b *bench) consume(ctx context.Context) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	if b.duration > 0 {
		reading, cancel = context.WithTimeout(ctx, b.duration)
		defer cancel()
	}
	var n, size int64
	began, told := time.Now(), time.Now()
	err := kafka.Tail(reading, b.brokers, kafka.TailOptions{Topics: []string{b.topic}, ExitAtEnd: true}, func(records []*kgo.Record) error {
		for _, r := range records {
			size += int64(len(r.Value))
		}
		n += int64(len(records))
		if b.progress != nil && time.Since(told) > time.Second/2 {
			told = time.Now()
			b.progress("consumed", n)
		}
		return nil
	})
	read := throughput(n, size, time.Since(began))
	b.result.Consumed = &read
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil // the time is over
	}
	return err
}

// endToEnd sends events and reads them at the same time. It begins when the reader
// stands at the end of the topic.
func (b *bench) endToEnd(ctx context.Context) error {
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &arrivals{bench: b, changed: make(chan struct{}, 1), ready: make(chan struct{})}
	var failed error
	over := make(chan struct{})
	go func() {
		defer close(over)
		failed = kafka.Tail(reading, b.brokers, r.tail(), r.take)
	}()
	select {
	case <-r.ready:
	case <-over:
		return failed
	}
	err := b.load(ctx, "sent", b.plan())
	r.await(ctx, b.result.Produced.Records, over)
	cancel()
	<-over
	b.result.EndToEnd = r.summary(b.result.Produced.Records)
	if ctx.Err() != nil {
		b.result.EndToEnd.Missing = 0 // they were not waited for
	}
	if err == nil && failed != nil && ctx.Err() == nil && !errors.Is(failed, context.Canceled) {
		err = failed
	}
	if err == nil && b.result.EndToEnd.Missing > 0 {
		err = fmt.Errorf("%d events were acknowledged and not readable within %s", b.result.EndToEnd.Missing, arrivalWait)
	}
	return err
}

// arrivals are the events that were read.
type arrivals struct {
	*bench
	changed chan struct{} // holds something after a change
	ready   chan struct{} // closed when the reader is

	mu    sync.Mutex
	seen  []uint64 // a bit for each event
	n     int64
	again int64
	times load.Histogram
}

// tail begins a little before now: what others sent then is told by its id.
func (r *arrivals) tail() kafka.TailOptions {
	from := kafka.Point{Kind: kafka.AtTime, N: r.began.Add(-time.Minute).UnixMilli()}
	if r.result.Temporary {
		from = kafka.Point{Kind: kafka.Start}
	}
	ready := sync.OnceFunc(func() { close(r.ready) })
	return kafka.TailOptions{
		Topics: []string{r.topic}, Range: kafka.Range{From: from},
		Idle: func() error { ready(); return nil },
	}
}

func (r *arrivals) take(records []*kgo.Record) error {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range records {
		if e, ok := kafka.ParseEvent(rec); ok {
			r.note(e.ID, now)
		}
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
	return nil
}

func (r *arrivals) note(id string, now time.Time) {
	run, rest, _ := strings.Cut(id, "/")
	number, due, _ := strings.Cut(rest, "/")
	n, err := strconv.ParseInt(number, 10, 64)
	ns, err2 := strconv.ParseInt(due, 10, 64)
	if run != r.id || err != nil || err2 != nil {
		return // somebody else's
	}
	for int64(len(r.seen)) <= n/64 {
		r.seen = append(r.seen, 0)
	}
	bit := uint64(1) << (n % 64)
	if r.seen[n/64]&bit != 0 {
		r.again++
		return
	}
	r.seen[n/64] |= bit
	r.n++
	r.times.Add(now.Sub(r.began)-time.Duration(ns), 1)
}

// await returns when so many events were read, or when it is no use to wait.
func (r *arrivals) await(ctx context.Context, want int64, over <-chan struct{}) {
	timer := time.NewTimer(arrivalWait)
	defer timer.Stop()
	for r.count() < want {
		select {
		case <-r.changed:
		case <-timer.C:
			return
		case <-over:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (r *arrivals) count() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

func (r *arrivals) summary(sent int64) *benchEndToEndResult {
	return &benchEndToEndResult{Records: r.n, Missing: max(sent-r.n, 0), Duplicates: r.again, Latency: latencies(&r.times)}
}
