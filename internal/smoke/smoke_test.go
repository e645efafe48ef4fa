package smoke

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

const topic = "task-events"

// A stackDouble is an API whose events go straight to the broker.
type stackDouble struct {
	t      *testing.T
	client *kgo.Client
	tasks  map[string]bool // by title
	mute   bool            // tasks are taken, and no event is published
	refuse error
	added  func()
}

func (s *stackDouble) Add(ctx context.Context, title string) (int64, error) {
	if s.refuse != nil {
		return 0, s.refuse
	}
	s.tasks[title] = true
	if s.added != nil {
		s.added()
	}
	if !s.mute {
		s.produce("another stack's", title+"x", 8)
		s.produce("another's of the same id", "Buy groceries", 7)
		s.produce("ours", title, 7)
	}
	return 7, ctx.Err()
}

func (s *stackDouble) produce(id, title string, task int) {
	s.t.Helper()
	value := fmt.Sprintf(`{"specversion":"1.0","id":%q,"type":"task.created","subject":"tasks/%d","data":{"data":{"title":%q}}}`, id, task, title)
	r := &kgo.Record{Topic: topic, Key: []byte("k"), Value: []byte(value)}
	if err := s.client.ProduceSync(s.t.Context(), r).FirstErr(); err != nil {
		s.t.Error(err)
	}
}

func (s *stackDouble) Sweep(ctx context.Context, prefix string) (int, error) {
	n := 0
	for title := range s.tasks {
		if strings.HasPrefix(title, prefix) {
			delete(s.tasks, title)
			n++
		}
	}
	return n, ctx.Err()
}

// An outboxDouble answers one after another, the last for ever.
type outboxDouble struct {
	answers []string
	err     error
}

func (o *outboxDouble) Waiting(context.Context, string, string, int64) (string, error) {
	answer := o.answers[0]
	if len(o.answers) > 1 {
		o.answers = o.answers[1:]
	}
	return answer, o.err
}

func newClient(t *testing.T, addrs ...string) *kgo.Client {
	t.Helper()
	client, err := kafka.NewClient(kafka.Options{Brokers: addrs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// newStack is a broker with the topic, and an API.
func newStack(t *testing.T) (*stackDouble, Options) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, topic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	api := &stackDouble{t: t, client: newClient(t, cluster.ListenAddrs()...), tasks: map[string]bool{"Buy groceries": true}}
	return api, Options{
		Client: api.client, Reader: newClient(t, cluster.ListenAddrs()...), Topic: topic, API: api,
		Outbox: &outboxDouble{answers: []string{"it is due", ""}}, Timeout: 30 * time.Second,
	}
}

// commit commits the group's offsets of the topic.
func commit(t *testing.T, client *kgo.Client, group string, at int64) {
	t.Helper()
	var offsets kadm.Offsets
	for p := range int32(3) {
		offsets.AddOffset(topic, p, at, -1)
	}
	if err := kadm.NewClient(client).CommitAllOffsets(t.Context(), group, offsets); err != nil {
		t.Fatal(err)
	}
}

// statuses are the hops with what became of them.
func statuses(r Result) string {
	var words []string
	for _, h := range r.Hops {
		words = append(words, h.Name+" "+string(h.Status))
	}
	return strings.Join(words, ", ")
}

func TestAProbeIsFollowedToTheConsumer(t *testing.T) {
	api, o := newStack(t)
	api.produce("before", TitlePrefix, 7)
	api.tasks[TitlePrefix+"left over"] = true
	commit(t, api.client, "worker", 1)
	o.Group = "worker"
	api.added = func() { commit(t, api.client, "worker", 100) }
	r, err := Run(t.Context(), o)
	if err != nil || !r.OK {
		t.Fatalf("%v, %+v", err, r)
	}
	want := "broker passed, api passed, outbox passed, topic passed, consumer passed, cleanup passed"
	if diff := cmp.Diff(want, statuses(r)); diff != "" {
		t.Error(diff)
	}
	if r.EventID != "ours" || r.TaskID != 7 || r.Offset < 2 {
		t.Errorf("event %q of task %d at %d", r.EventID, r.TaskID, r.Offset)
	}
	if !strings.HasSuffix(r.Hops[1].Detail, "; 1 left over from earlier runs deleted") {
		t.Error(r.Hops[1].Detail)
	}
	if diff := cmp.Diff(map[string]bool{"Buy groceries": true}, api.tasks); diff != "" {
		t.Error(diff)
	}
}

func TestBrokenHops(t *testing.T) {
	for name, c := range map[string]struct {
		damage  func(*testing.T, *stackDouble, *Options)
		want    string
		failure string // part of it
		next    string
	}{
		"the broker is away": {
			func(t *testing.T, _ *stackDouble, o *Options) { o.Client = newClient(t, "127.0.0.1:1") },
			"broker failed, api not_run, outbox not_run, topic not_run, cleanup skipped",
			"no Kafka broker answers at 127.0.0.1:1: connection refused", "todoctl doctor --only broker,topics",
		},
		"the topic is missing": {
			func(_ *testing.T, _ *stackDouble, o *Options) { o.Topic = "task-event" },
			"broker failed, api not_run, outbox not_run, topic not_run, cleanup skipped",
			`did you mean "task-events"`, "todoctl topics setup",
		},
		"the API refuses": {
			func(_ *testing.T, api *stackDouble, _ *Options) { api.refuse = errors.New("no") },
			"broker passed, api failed, outbox not_run, topic not_run, cleanup passed", "no", "todoctl doctor --only environment",
		},
		"the event stays in the outbox": {
			func(_ *testing.T, api *stackDouble, o *Options) {
				api.mute, o.Outbox = true, &outboxDouble{answers: []string{"sidecar away"}}
			},
			"broker passed, api passed, outbox failed, topic not_run, cleanup passed",
			"for the event of task 7 to leave the outbox: sidecar away", "todoctl outbox status",
		},
		"the event doesn't come": {
			func(_ *testing.T, api *stackDouble, _ *Options) { api.mute = true },
			"broker passed, api passed, outbox passed, topic failed, cleanup passed",
			"for an event of task 7 on topic task-events, where 0 other events came", "todoctl doctor --only broker,topics,sidecar",
		},
		"the consumer is stopped": {
			func(t *testing.T, api *stackDouble, o *Options) {
				commit(t, api.client, "worker", 0)
				o.Group = "worker"
			},
			"broker passed, api passed, outbox passed, topic passed, consumer failed, cleanup passed",
			"]@2: it is at 0 and had no members", "todoctl groups describe worker",
		},
		"a consumer that must be there isn't": {
			func(_ *testing.T, _ *stackDouble, o *Options) { o.Group, o.Expected = "worker", true },
			"broker passed, api passed, outbox passed, topic passed, consumer failed, cleanup passed",
			"it has committed nothing there and had no members", "todoctl groups describe worker",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api, o := newStack(t)
			o.Timeout = 3 * time.Second
			c.damage(t, api, &o)
			r, err := Run(t.Context(), o)
			if err != nil || r.OK {
				t.Fatalf("%v, %+v", err, r)
			}
			if diff := cmp.Diff(c.want, statuses(r)); diff != "" {
				t.Error(diff)
			}
			if f := r.Failure(); !strings.Contains(f.Error, c.failure) || f.Next != c.next {
				t.Errorf("%q, next %q", f.Error, f.Next)
			}
			if len(api.tasks) != 1 {
				t.Errorf("left: %v", api.tasks)
			}
			if r.Seconds > o.Timeout.Seconds() {
				t.Errorf("took %.1f s of %s", r.Seconds, o.Timeout)
			}
		})
	}
}

func TestWhatCanNotBeSeenIsSkipped(t *testing.T) {
	_, o := newStack(t)
	o.Outbox = &outboxDouble{answers: []string{""}, err: fmt.Errorf("%w: no such file", ErrNotHere)}
	o.Group = "worker"
	r, err := Run(t.Context(), o)
	if err != nil || !r.OK {
		t.Fatalf("%v, %+v", err, r)
	}
	want := "broker passed, api passed, outbox skipped, topic passed, consumer skipped, cleanup passed"
	if diff := cmp.Diff(want, statuses(r)); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventWithoutTheAPI(t *testing.T) {
	api, o := newStack(t)
	o.API, o.Outbox = nil, nil
	o.Publish = func(ctx context.Context, key string, event []byte) error {
		api.produce("another", "", 1)
		return api.client.ProduceSync(ctx, &kgo.Record{Topic: topic, Key: []byte(key), Value: event}).FirstErr()
	}
	r, err := Run(t.Context(), o)
	if err != nil || !r.OK {
		t.Fatalf("%v, %+v", err, r)
	}
	if diff := cmp.Diff("broker passed, sidecar passed, topic passed, cleanup skipped", statuses(r)); diff != "" {
		t.Error(diff)
	}
}

func TestAnInterruptedRunCleansUp(t *testing.T) {
	api, o := newStack(t)
	ctx, interrupt := context.WithCancel(t.Context())
	api.mute, api.added = true, interrupt
	r, err := Run(ctx, o)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if diff := cmp.Diff("broker passed, api failed, outbox not_run, topic not_run, cleanup passed", statuses(r)); diff != "" {
		t.Error(diff)
	}
	if len(api.tasks) != 1 {
		t.Errorf("left: %v", api.tasks)
	}
}
