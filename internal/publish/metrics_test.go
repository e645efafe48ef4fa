package publish

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// values reads a registry: counters and gauges by name and label, histograms by
// the count of what they observed.
func values(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := family.GetName()
			for _, label := range m.GetLabel() {
				name += " " + label.GetValue()
			}
			switch {
			case m.GetHistogram() != nil:
				values[name] = float64(m.GetHistogram().GetSampleCount())
			case m.GetCounter() != nil:
				values[name] = m.GetCounter().GetValue()
			default:
				values[name] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func TestMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		b := newBroker()
		o := newOutbox(b)
		for id := range int64(5) {
			o.add("task-events", id)
		}
		o.add("task-events", 3)
		b.answer = refusing(func(m Message) bool { return m.Key == "3" })
		stop := start(t, RelayOptions{Outbox: o, Publisher: b, Metrics: registry, Attempts: 1})
		eventually(t, time.Second, func() bool { return o.count(isParked) == 1 && o.count(isPublished) == 4 })
		_ = sleep(t.Context(), 10*time.Second)
		want := map[string]float64{
			"todo_outbox_pending":                              1,
			"todo_outbox_parked":                               1,
			"todo_outbox_published_total task-events":          4,
			"todo_outbox_publish_failures_total outage":        0,
			"todo_outbox_publish_failures_total refused":       1,
			"todo_outbox_publish_failures_total topic_refused": 0,
			"todo_outbox_publish_delay_seconds":                4,
			"todo_relay_leader":                                1,
		}
		got := values(t, registry)
		if age := got["todo_outbox_oldest_pending_age_seconds"]; age < 10 || age > 12 {
			t.Errorf("age of the oldest event %v s, want about 10", age)
		}
		delete(got, "todo_outbox_oldest_pending_age_seconds")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("metrics (-want +got):\n%s", diff)
		}
		stop()
		if got := values(t, registry)["todo_relay_leader"]; got != 0 {
			t.Errorf("leader = %v after the end", got)
		}
	})
}

func TestMetricsWithTheOutboxAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		o := newOutbox(nil)
		asked := 0
		o.fault = func(string) (error, bool) { asked++; return errAway, false }
		NewRelay(RelayOptions{Outbox: o, Publisher: newBroker(), Metrics: registry})
		for range 50 {
			if _, there := values(t, registry)["todo_outbox_pending"]; there {
				t.Fatal("a value that nobody knows")
			}
			_ = sleep(t.Context(), 100*time.Millisecond)
		}
		if asked > 6 {
			t.Errorf("asked %d times in 5 s, want one a second", asked)
		}
		o.fault = nil
		o.delay = func() time.Duration { return time.Hour } // until its context ends
		_ = sleep(t.Context(), time.Second)
		began := time.Now()
		values(t, registry)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("a scrape took %v", took)
		}
	})
}
