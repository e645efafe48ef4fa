package kafka_test

import (
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

func patterns(texts ...string) []*regexp.Regexp {
	var res []*regexp.Regexp
	for _, text := range texts {
		res = append(res, regexp.MustCompile(text))
	}
	return res
}

func recordOf(topic, value string) *kgo.Record {
	r := record(0, 0, value)
	r.Topic = topic
	return r
}

func TestTailPatterns(t *testing.T) {
	_, o := cluster(t, 1, kfake.SeedTopics(1, "task-events", "task-updates", "reminders"))
	produce(t, client(t, o, manual()), recordOf("task-events", "e"), recordOf("task-updates", "u"), recordOf("reminders", "r"))
	for _, group := range []string{"", "g"} {
		got := tailed(t, o, kafka.TailOptions{Topics: []string{}, Patterns: patterns("^task-", "^t$"), Group: group, ExitAtEnd: true})
		slices.Sort(got)
		equal(t, got, []string{"e", "u"})

		err := kafka.Tail(t.Context(), o, kafka.TailOptions{Patterns: patterns("^x", "y$"), Group: group}, nil)
		if want := `no topic matches "^x" or "y$"; 'todoctl topics list' shows those that exist`; err == nil || err.Error() != want {
			t.Errorf("got %v", err)
		}
	}
}

func TestTailPatternsFindNewTopics(t *testing.T) {
	c, o := cluster(t, 1)
	cl := client(t, o, manual())
	produce(t, cl, record(0, 0, "v0"))
	next := follow(t, o, kafka.TailOptions{Patterns: patterns("^t"), Refresh: 10 * time.Millisecond})
	equal(t, next(), "v0")
	create := func(topic string) {
		if err := c.CreateTopic(topic, 1, nil); err != nil {
			t.Fatal(err)
		}
	}
	create("other")
	create("t2")
	fresh := client(t, o, manual())
	produce(t, fresh, recordOf("other", "o"), recordOf("t2", "v1"))
	equal(t, next(), "v1")

	// A topic that goes away doesn't end it; one that comes again is read from its start.
	if err := c.DeleteTopic("t2"); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, record(0, 1, "v2"))
	equal(t, next(), "v2")
	create("t2")
	produce(t, client(t, o, manual()), recordOf("t2", "v3"))
	equal(t, next(), "v3")
}

func TestTailMergesByTime(t *testing.T) {
	_, o := cluster(t, 3)
	cl := client(t, o, manual())
	var records []*kgo.Record
	for i := range 300 {
		records = append(records, record(int32(i*7%3), i, string(rune('0'+i%10))))
	}
	produce(t, cl, records...)
	last := time.Time{}
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{"t"}, ExitAtEnd: true}, func(records []*kgo.Record) error {
		last = time.Time{} // what comes later may be older
		for _, r := range records {
			if r.Timestamp.Before(last) {
				t.Errorf("%v after %v", r.Timestamp, last)
			}
			last = r.Timestamp
		}
		return nil
	})
	if err != nil || last.IsZero() {
		t.Errorf("read to %v: %v", last, err)
	}
}
