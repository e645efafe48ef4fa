package main

import (
	"fmt"
	"io"
	"time"

	"github.com/todoctl/todoctl/internal/load"
	"github.com/todoctl/todoctl/internal/ui"
)

// benchResult is the result of bench.
type benchResult struct {
	Mode        string               `json:"mode"`
	Via         string               `json:"via"`
	Topic       string               `json:"topic"`
	Temporary   bool                 `json:"temporary"` // the topic was made for it, and deleted
	Clients     int                  `json:"clients"`
	Batch       int                  `json:"batch"`
	Rate        float64              `json:"rate,omitempty"`
	Interrupted bool                 `json:"interrupted"`
	Produced    *benchProduced       `json:"produced,omitempty"`
	Consumed    *benchThroughput     `json:"consumed,omitempty"`
	EndToEnd    *benchEndToEndResult `json:"end_to_end,omitempty"`
}

type benchThroughput struct {
	Records   int64   `json:"records"`
	Bytes     int64   `json:"bytes"` // of the values
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"records_per_second"`
	Megabytes float64 `json:"megabytes_per_second"`
}

type benchProduced struct {
	benchThroughput
	Latency benchLatency `json:"latency_ms"` // of the answer; with a rate, from when the event was due
}

type benchEndToEndResult struct {
	Records    int64        `json:"records"`
	Missing    int64        `json:"missing"` // acknowledged, and not read in time
	Duplicates int64        `json:"duplicates"`
	Latency    benchLatency `json:"latency_ms"` // until it was read
}

// benchLatency is in milliseconds.
type benchLatency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

func throughput(records, size int64, took time.Duration) benchThroughput {
	seconds := max(took.Seconds(), 1e-9)
	return benchThroughput{
		Records: records, Bytes: size, Seconds: took.Seconds(),
		PerSecond: float64(records) / seconds, Megabytes: float64(size) / seconds / 1e6,
	}
}

func latencies(h *load.Histogram) benchLatency {
	ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	return benchLatency{ms(h.Quantile(.5)), ms(h.Quantile(.9)), ms(h.Quantile(.99)), ms(h.Quantile(.999)), ms(h.Max())}
}

// text prints what was measured, and nothing of what wasn't.
func (r benchResult) text(p ui.Printer) func(io.Writer) {
	topic := r.Topic
	if r.Temporary {
		topic += " (deleted)"
	}
	fields := [][2]string{{"mode", r.Mode + ", " + r.Via}, {"topic", topic}}
	if r.Interrupted {
		fields = append(fields, [2]string{"interrupted", "this is what was measured until then"})
	}
	if r.Produced != nil {
		fields = append(fields, [2]string{"produced", r.Produced.text()}, [2]string{"answers", r.Produced.Latency.text()})
	}
	if r.Consumed != nil {
		fields = append(fields, [2]string{"consumed", r.Consumed.text()})
	}
	if e := r.EndToEnd; e != nil {
		fields = append(fields,
			[2]string{"read", fmt.Sprintf("%d events, %d missing, %d duplicates", e.Records, e.Missing, e.Duplicates)},
			[2]string{"end to end", e.Latency.text()})
	}
	return func(w io.Writer) { p.Fields(w, fields) }
}

func (t benchThroughput) text() string {
	return fmt.Sprintf("%d events in %.2f s: %.0f/s, %.1f MB/s", t.Records, t.Seconds, t.PerSecond, t.Megabytes)
}

func (l benchLatency) text() string {
	return fmt.Sprintf("p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f", l.P50, l.P90, l.P99, l.P999, l.Max)
}
