//go:build unix

package kafka_test

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

const benchRecords = 1_000_000

// BenchmarkTail reads 1,000,000 events of 330 bytes in three partitions from a broker
// in this process, so the broker's share of the cores is in every figure; compare
// with "bare", a franz-go poll loop of the same options that does nothing with what it
// gets. One event in a thousand is of the type, and the task, that filters look for.
func BenchmarkTail(b *testing.B) {
	_, o := cluster(b, 3)
	records := make([]*kgo.Record, benchRecords)
	for i := range records {
		value := strings.ReplaceAll(event, "0198-1", fmt.Sprintf("0198d3c2-7f3a-7000-8000-%012d", i))
		if i%1000 == 7 {
			value = strings.ReplaceAll(value, "task.created", "task.deleted")
		} else {
			value = strings.ReplaceAll(value, "123", strconv.Itoa(1000+i%100))
		}
		records[i] = &kgo.Record{Topic: "t", Key: fmt.Append(nil, i%1000), Value: []byte(value)}
	}
	produce(b, client(b, o, kgo.ProducerBatchCompression(kgo.NoCompression())), records...)

	tail := func(b *testing.B, f kafka.Filter, want int, format func(dst []byte, r *kgo.Record) []byte) {
		n, buf := 0, make([]byte, 0, 128<<10)
		opts := kafka.TailOptions{Topics: []string{"t"}, ExitAtEnd: true, Filter: f}
		err := kafka.Tail(b.Context(), o, opts, func(rs []*kgo.Record) error {
			n += len(rs)
			for _, r := range rs {
				if buf = format(buf, r); len(buf) > 64<<10 {
					_, _ = io.Discard.Write(buf)
					buf = buf[:0]
				}
			}
			return nil
		})
		if err != nil || n != want {
			b.Fatalf("%d records: %v", n, err)
		}
	}
	all := func(format func([]byte, *kgo.Record) []byte) func(*testing.B) {
		return func(b *testing.B) { tail(b, kafka.Filter{}, benchRecords, format) }
	}
	var jf kafka.JSONFormatter
	var tf kafka.TextFormatter
	some := func(f kafka.Filter) func(*testing.B) {
		return func(b *testing.B) { tail(b, f, benchRecords/1000, jf.AppendJSON) }
	}
	for _, bb := range []struct {
		name string
		run  func(*testing.B)
	}{
		{"bare", func(b *testing.B) { bare(b, o) }},
		{"none", all(func(dst []byte, _ *kgo.Record) []byte { return dst })},
		{"value", all(kafka.AppendValue)},
		{"json", all(jf.AppendJSON)},
		{"text", all(tf.AppendText)},
		{"type", some(kafka.Filter{Types: []string{"task.deleted"}})},
		{"task", some(kafka.Filter{Tasks: []string{"123"}})},
		{"grep", some(kafka.Filter{Grep: regexp.MustCompile("deleted")})},
		{"where", some(kafka.Filter{Where: where(b, `type == "task.deleted"`)})},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				bb.run(b)
			}
			b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(benchRecords)/float64(b.N), "cpu-ns/record")
			b.ReportMetric(float64(benchRecords)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// cpuTime is what this process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func bare(b *testing.B, o kafka.Options) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.ConsumeTopics("t"))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	for n := 0; n < benchRecords; {
		n += cl.PollFetches(b.Context()).NumRecords()
	}
}

func BenchmarkFormat(b *testing.B) {
	r := &kgo.Record{Topic: "task-events", Partition: 1, Offset: 123456, Key: []byte("123"), Value: []byte(event), Timestamp: epoch}
	var jf kafka.JSONFormatter
	var tf kafka.TextFormatter
	buf := make([]byte, 0, 1<<12)
	for name, format := range map[string]func([]byte, *kgo.Record) []byte{"json": jf.AppendJSON, "text": tf.AppendText} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(event)))
			for b.Loop() {
				buf = format(buf[:0], r)
			}
		})
	}
}
