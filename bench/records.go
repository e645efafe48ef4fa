package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	recordSize       = 330 // bytes of an event of the tail, publish and volume tables
	recordPartitions = 3
	recordTasks      = 1000 // the events are of so many tasks
)

// cloudEvent is event n, of recordSize bytes. One in a hundred is task.completed.
func cloudEvent(dst []byte, n int) []byte {
	kind := "task.updated"
	if n%100 == 0 {
		kind = "task.completed"
	}
	begin := len(dst)
	dst = fmt.Appendf(dst, `{"specversion":"1.0","id":"%032d","source":"todo-backend","type":%q,"time":"2026-02-17T12:00:00.123456Z",`+
		`"partitionkey":"%d","data":{"event_type":%q,"data":{"task_id":%d,"title":"`, n, kind, n%recordTasks, kind, n%recordTasks)
	const end = `"}}}`
	for len(dst)-begin+len(end) < recordSize {
		dst = append(dst, 'x')
	}
	return append(dst, end...)
}

// runFill takes a broker, a topic and a number of events, and writes so many to the
// topic, uncompressed.
func runFill(ctx context.Context, out io.Writer, args []string) error {
	client, n, err := recordClient(args, kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	i := -1
	return produceAll(ctx, client, out, args[1], func() ([]byte, []byte, bool) {
		i++
		return strconv.AppendInt(nil, int64(i%recordTasks), 10), cloudEvent(make([]byte, 0, recordSize), i), i < n
	})
}

// runProduceLines takes a broker, a topic and a file, and writes a record a line: what
// publishing from standard input is measured against.
func runProduceLines(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 3 {
		return errors.New("needs a broker, a topic and a file")
	}
	file, err := os.Open(args[2])
	if err != nil {
		return err
	}
	defer file.Close()
	client, _, err := recordClient([]string{args[0], args[1], "0"})
	if err != nil {
		return err
	}
	defer client.Close()
	lines := bufio.NewScanner(file)
	return errors.Join(produceAll(ctx, client, out, args[1], func() ([]byte, []byte, bool) {
		more := lines.Scan()
		return nil, append([]byte(nil), lines.Bytes()...), more
	}), lines.Err())
}

// produceAll writes what next yields and returns when all is acknowledged.
func produceAll(ctx context.Context, client *kgo.Client, out io.Writer, topic string, next func() (key, value []byte, ok bool)) error {
	var first kgo.FirstErrPromise
	n := 0
	for key, value, ok := next(); ok; key, value, ok = next() {
		client.Produce(ctx, &kgo.Record{Topic: topic, Key: key, Value: value}, first.Promise())
		n++
	}
	if err := first.Err(); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(tally{All: n})
}

// runPoll takes a broker, a topic and a number of records, and polls until it has
// seen so many: what reading is measured against.
func runPoll(ctx context.Context, out io.Writer, args []string) error {
	if len(args) != 3 {
		return errors.New("needs a broker, a topic and a number")
	}
	client, n, err := recordClient(args, kgo.ConsumeTopics(args[1]))
	if err != nil {
		return err
	}
	defer client.Close()
	seen := 0
	for seen < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		seen += fetches.NumRecords()
	}
	return json.NewEncoder(out).Encode(tally{All: seen})
}

func recordClient(args []string, extra ...kgo.Opt) (*kgo.Client, int, error) {
	if len(args) != 3 {
		return nil, 0, errors.New("needs a broker, a topic and a number")
	}
	n, err := strconv.Atoi(args[2])
	if err != nil {
		return nil, 0, err
	}
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(args[0])}, extra...)...)
	return client, n, err
}

// newTopic makes a topic on the rig's broker; drop deletes it.
func (r *rig) newTopic(ctx context.Context, name string) (drop func() error, err error) {
	admin := kadm.NewClient(r.topic)
	if _, err := admin.CreateTopic(ctx, recordPartitions, 1, nil, name); err != nil {
		return nil, fmt.Errorf("create topic %q: %w", name, err)
	}
	return func() error {
		_, err := admin.DeleteTopic(context.WithoutCancel(ctx), name)
		return err
	}, nil
}

// fillTopic makes a topic with n events.
func (r *rig) fillTopic(ctx context.Context, name string, n int) (drop func() error, err error) {
	drop, err = r.newTopic(ctx, name)
	if err != nil {
		return nil, err
	}
	r.note("filling topic %s with %s events", name, count(float64(n)))
	var t tally
	if _, err := r.ask(ctx, &t, "child-fill", r.broker.addr, name, strconv.Itoa(n)); err != nil {
		return nil, errors.Join(err, drop())
	}
	return drop, r.checkCount(ctx, name, n)
}

// checkCount looks whether the topic holds what it should.
func (r *rig) checkCount(ctx context.Context, name string, want int) error {
	spans, err := kafka.Range{}.Resolve(ctx, r.topic, kafka.Resolving{Topics: []string{name}, Bounded: true})
	if err != nil {
		return err
	}
	var n int64
	for _, s := range spans[name] {
		n += s.To
	}
	if n != int64(want) {
		return fmt.Errorf("topic %q holds %d records, not %d", name, n, want)
	}
	return nil
}
