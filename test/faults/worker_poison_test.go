//go:build unix

package faults

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// A poison is a kind of record that nobody should write.
type poison struct {
	kind  string
	topic string
	fate  checker.Fate
	value string // %ID stands for an id of its own
}

// poisons are all kinds.
func poisons() []poison {
	const (
		due  = `{"specversion":"1.0","id":"%ID","source":"s","type":"reminder.due","data":{"event_type":"reminder.due","data":`
		good = `{"task_id":1,"title":"t","user_id":"odd","remind_at":"2026-02-17T12:00:00Z"}}}`
		done = `{"specversion":"1.0","id":"%ID","source":"s","type":"task.completed","data":{"event_type":"task.completed","data":`
	)
	large := strings.Repeat("x", 2<<20) // in a batch that is small: it is compressed
	both := func(kind string, fate checker.Fate, value string) []poison {
		return []poison{{kind + " event", topic, fate, value}, {kind + " reminder", "reminders", fate, value}}
	}
	all := []poison{
		{"wrong type", "reminders", "invalid", due + `{"task_id":"one","user_id":"u"}}}`},
		{"half a reminder", "reminders", "invalid", due + `{"task_id":1}}}`},
		{"unknown channel", "reminders", "permanent", due + strings.Replace(good, `"title"`, `"channels":["nobody"],"title"`, 1)},
		{"odd traceid", "reminders", checker.Told, strings.Replace(due, `"id"`, `"traceid":17,"traceparent":{"a":1},"id"`, 1) + good},
		{"wrong task", topic, "invalid", done + `{"task_id":{},"user_id":7}}}`},
		{"half a task", topic, "invalid", done + `{}}}`},
		{"large reminder", "reminders", "invalid", due + `{"task_id":"` + large + `"}}}`},
		{"large task", topic, "invalid", strings.Replace(done, `"id"`, `"pad":"`+large+`","id"`, 1) + `{}}}`},
	}
	for _, more := range [][]poison{
		both("bad JSON", checker.Copied, `{"specversion":"1.0","id":`), both("list", checker.Copied, `[1,2]`),
		both("null", checker.Copied, `null`), both("empty", checker.Copied, ""),
		both("binary", checker.Copied, "\x00\xff\xfe\n\x80 binary"), both("large binary", checker.Copied, "\xff"+large),
		both("no id", "invalid", strings.Replace(due, `"id":"%ID",`, "", 1)+good),
		both("no event", "invalid", `{"a":1}`),
		both("unknown type", checker.Ignored, `{"specversion":"1.0","id":"%ID","source":"s","type":"weather.changed","data":{}}`),
		both("unknown version", checker.Ignored, strings.Replace(due, `"1.0"`, `"9.1"`, 1)+good),
	} {
		all = append(all, more...)
	}
	return all
}

// fates are those of all kinds.
func fates() map[string]checker.Fate {
	all := map[string]checker.Fate{}
	for _, p := range poisons() {
		all[p.kind] = p.fate
	}
	return all
}

// A poisoner writes poison until it is stopped. What becomes of each write it needn't
// know: the topics tell, by the keys.
type poisoner struct {
	stop context.CancelFunc
	over sync.WaitGroup
}

func startPoisoner(ctx context.Context, t *testing.T, broker string, every time.Duration) *poisoner {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ProducerBatchMaxBytes(4<<20), kgo.RecordDeliveryTimeout(5*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	p := &poisoner{stop: stop}
	p.over.Go(func() {
		defer client.Close()
		all := poisons()
		for n := 0; ctx.Err() == nil; n++ {
			of := all[n%len(all)]
			key := fmt.Sprintf("%s/%s/%d", checker.PoisonKey, of.kind, n)
			value := strings.ReplaceAll(of.value, "%ID", fmt.Sprintf("%s-%d", checker.PoisonKey, n))
			client.ProduceSync(ctx, &kgo.Record{Topic: of.topic, Key: []byte(key), Value: []byte(value)})
			pause(ctx, every)
		}
	})
	return p
}

func (p *poisoner) finish() {
	p.stop()
	p.over.Wait()
}
