package kafka_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

const benchRecords = 200_000

// BenchmarkTail reads 200,000 events of 350 bytes in three partitions from a broker
// in this process, so the broker's share of the cores is in every figure; compare
// with "bare", a franz-go poll loop that does nothing with what it gets.
func BenchmarkTail(b *testing.B) {
	_, o := cluster(b, 3)
	records := make([]*kgo.Record, benchRecords)
	for i := range records {
		records[i] = &kgo.Record{Topic: "t", Key: fmt.Append(nil, i%1000), Value: []byte(event)}
	}
	produce(b, client(b, o, kgo.ProducerBatchCompression(kgo.NoCompression())), records...)

	tail := func(b *testing.B, format func(dst []byte, r *kgo.Record) []byte) {
		n, buf := 0, make([]byte, 0, 1<<20)
		err := kafka.Tail(b.Context(), o, kafka.TailOptions{Topics: []string{"t"}, ExitAtEnd: true}, func(rs []*kgo.Record) error {
			n += len(rs)
			for _, r := range rs {
				if buf = format(buf, r); len(buf) > 1<<19 {
					_, _ = io.Discard.Write(buf)
					buf = buf[:0]
				}
			}
			return nil
		})
		if err != nil || n != benchRecords {
			b.Fatalf("%d records: %v", n, err)
		}
	}
	var jf kafka.JSONFormatter
	var tf kafka.TextFormatter
	for _, bb := range []struct {
		name string
		run  func(*testing.B)
	}{
		{"bare", func(b *testing.B) { bare(b, o) }},
		{"none", func(b *testing.B) { tail(b, func(dst []byte, _ *kgo.Record) []byte { return dst }) }},
		{"value", func(b *testing.B) { tail(b, kafka.AppendValue) }},
		{"json", func(b *testing.B) { tail(b, jf.AppendJSON) }},
		{"text", func(b *testing.B) { tail(b, tf.AppendText) }},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bb.run(b)
			}
			b.ReportMetric(float64(benchRecords)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
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
