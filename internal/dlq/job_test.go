package dlq_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/dlq"
	"github.com/todoctl/todoctl/internal/kafka"
)

const (
	origin = "task-events"
	dead   = "task-events-dlq"
)

// cluster has an origin and its dead letters, 3 partitions each.
func cluster(t *testing.T) (*kfake.Cluster, kafka.Options, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(3, origin, dead))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	o := kafka.Options{Brokers: c.ListenAddrs()}
	cl, err := kafka.NewClient(o, kafka.KeepPartitions())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return c, o, cl
}

func equal(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// letter is a dead letter of event n, on partition n%3, as a worker writes it.
func letter(t *testing.T, n int, reason string) *kgo.Record {
	t.Helper()
	event := fmt.Sprintf(`{"specversion":"1.0","id":"e%d","source":"s","type":"task.created","data":{}}`, n)
	value, err := dlq.Cause{Reason: reason, Consumer: "worker", Origin: dlq.Place{Topic: origin, Partition: int32(n % 3), Offset: int64(n)}}.Attach([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	return &kgo.Record{Topic: dead, Partition: int32(n % 3), Key: fmt.Append(nil, n), Value: value}
}

// bury writes n letters, of which every third of each partition has timed out.
func bury(t *testing.T, cl *kgo.Client, n int) {
	t.Helper()
	var records []*kgo.Record
	for i := range n {
		reason := "invalid"
		if i/3%3 == 1 {
			reason = "timeout"
		}
		records = append(records, letter(t, i, reason))
	}
	if err := kafka.Produce(t.Context(), cl, records); err != nil {
		t.Fatal(err)
	}
}

// contents are the ids of the origin's events, by partition.
func contents(t *testing.T, o kafka.Options) map[int32][]string {
	t.Helper()
	ids := make(map[int32][]string)
	err := kafka.Tail(t.Context(), o, kafka.TailOptions{Topics: []string{origin}, ExitAtEnd: true}, func(records []*kgo.Record) error {
		for _, r := range records {
			e, _ := kafka.ParseEvent(r)
			ids[r.Partition] = append(ids[r.Partition], e.ID)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// backlog are the offsets that are not settled, by partition.
func backlog(t *testing.T, cl *kgo.Client, o kafka.Options) map[int32][]int64 {
	t.Helper()
	box, err := dlq.Open(t.Context(), cl, o, []string{dead})
	if err != nil {
		t.Fatal(err)
	}
	open := make(map[int32][]int64)
	if err := box.Read(t.Context(), true, func(l dlq.Letter, settled bool) error {
		if !settled {
			open[l.Record.Partition] = append(open[l.Record.Partition], l.Record.Offset)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return open
}

func job(t *testing.T, cl *kgo.Client, o kafka.Options, s dlq.Selection) *dlq.Job {
	t.Helper()
	j, err := dlq.NewJob(t.Context(), cl, o, dlq.JobOptions{
		Topics: []string{dead}, Select: s, Redrive: true, MaxRedrives: 3, Waiting: func(err error) { t.Log(err) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(j.Close)
	return j
}

func redrive(t *testing.T, j *dlq.Job) dlq.Outcome {
	t.Helper()
	out, err := j.Redrive(t.Context(), dlq.RedriveOptions{})
	j.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Letters that are not selected stay in the backlog, exactly; the others are where they
// came from, in order.
func TestRedriveSelected(t *testing.T) {
	_, o, cl := cluster(t)
	bury(t, cl, 18)
	j := job(t, cl, o, dlq.Selection{Reasons: []string{"Timeout"}})
	equal(t, j.Plan(), dlq.Plan{Selected: 6, Rows: []dlq.PlanRow{{Topic: dead, Reason: "timeout", Origin: origin, Count: 6}}, Refused: []dlq.Refusal{}})
	equal(t, redrive(t, j).Redriven, 6)
	equal(t, contents(t, o), map[int32][]string{0: {"e3", "e12"}, 1: {"e4", "e13"}, 2: {"e5", "e14"}})
	left := []int64{0, 2, 3, 5}
	equal(t, backlog(t, cl, o), map[int32][]int64{0: left, 1: left, 2: left})

	box, err := dlq.Open(t.Context(), cl, o, []string{dead})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, box.Lag(dead), int64(18)) // it is an upper bound

	equal(t, redrive(t, job(t, cl, o, dlq.Selection{IDs: []string{"e0", dead + "[1]@0"}})).Redriven, 2)
	left = left[1:]
	equal(t, backlog(t, cl, o), map[int32][]int64{0: left, 1: left, 2: {0, 2, 3, 5}})
	equal(t, redrive(t, job(t, cl, o, dlq.Selection{})).Redriven, 10)
	equal(t, backlog(t, cl, o), map[int32][]int64{})
	equal(t, len(contents(t, o)[0]), 6)
	if box, err = dlq.Open(t.Context(), cl, o, []string{dead}); err != nil || box.Lag(dead) != 0 {
		t.Errorf("lag %d, %v", box.Lag(dead), err)
	}
}

func TestRefusals(t *testing.T) {
	_, o, cl := cluster(t)
	tired := letter(t, 0, "x")
	tired.Headers = []kgo.RecordHeader{{Key: dlq.CountHeader, Value: []byte("3")}}
	lost := letter(t, 1, "x")
	lost.Headers = dlq.Cause{Origin: dlq.Place{Topic: "gone"}}.Headers()
	loop := letter(t, 2, "x")
	loop.Headers = dlq.Cause{Origin: dlq.Place{Topic: "other-dlq"}}.Headers()
	if err := kafka.Produce(t.Context(), cl, []*kgo.Record{tired, lost, loop, letter(t, 3, "x")}); err != nil {
		t.Fatal(err)
	}
	j := job(t, cl, o, dlq.Selection{})
	var why []string
	for _, r := range j.Plan().Refused {
		why = append(why, r.Why+" "+r.Example)
	}
	slices.Sort(why)
	equal(t, why, []string{
		"it came from other-dlq, which has dead letters itself task-events-dlq[2]@0",
		"it was redriven 3 times already, and --max-redrives is 3 task-events-dlq[0]@0",
		"topic gone, where it came from, doesn't exist task-events-dlq[1]@0",
	})
	equal(t, redrive(t, j).Redriven, 1)
	equal(t, backlog(t, cl, o), map[int32][]int64{0: {0}, 1: {0}, 2: {0}})
}

// Nobody else deals with dead letters meanwhile, and the next one may at once.
func TestOneAtATime(t *testing.T) {
	_, o, cl := cluster(t)
	bury(t, cl, 3)
	first := job(t, cl, o, dlq.Selection{})
	waits := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := dlq.NewJob(ctx, cl, o, dlq.JobOptions{Topics: []string{dead}, Waiting: func(err error) { waits <- err; cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a second one: %v", err)
	}
	var busy *dlq.BusyError
	if err := <-waits; !errors.As(err, &busy) {
		t.Errorf("it waits for %v", err)
	}
	if _, err := kadm.NewClient(cl).CommitOffsets(t.Context(), dlq.Group, kadm.Offsets{dead: {0: kadm.Offset{Topic: dead, At: 1}}}); err == nil {
		answers, _ := kadm.NewClient(cl).CommitOffsets(t.Context(), dlq.Group, kadm.Offsets{dead: {0: kadm.Offset{Topic: dead, At: 1}}})
		if answers.Error() == nil {
			t.Error("somebody else's commit was taken")
		}
	}
	equal(t, redrive(t, first).Redriven, 3)
	equal(t, redrive(t, job(t, cl, o, dlq.Selection{})).Redriven, 0)
}

// One who is put out of the group stops, and commits nothing more.
func TestPutOut(t *testing.T) {
	c, o, cl := cluster(t)
	bury(t, cl, 30)
	j := job(t, cl, o, dlq.Selection{})
	sent := 0
	_, err := j.Redrive(t.Context(), dlq.RedriveOptions{Wait: func(ctx context.Context) error {
		if sent++; sent == 10 {
			c.ControlKey(int16(kmsg.Heartbeat), func(req kmsg.Request) (kmsg.Response, error, bool) {
				resp := req.ResponseKind().(*kmsg.HeartbeatResponse)
				resp.ErrorCode = kerr.UnknownMemberID.Code
				return resp, nil, true
			})
			<-ctx.Done() // the next heartbeat tells
			return context.Cause(ctx)
		}
		return nil
	}})
	if err == nil || !strings.Contains(err.Error(), "lost sight") {
		t.Fatalf("ended with %v", err)
	}
}

// Ctrl-C settles what is in flight, and nothing is sent twice after it.
func TestInterruption(t *testing.T) {
	_, o, cl := cluster(t)
	bury(t, cl, 30)
	ctx, cancel := context.WithCancel(t.Context())
	sent := 0
	first := job(t, cl, o, dlq.Selection{})
	out, err := first.Redrive(ctx, dlq.RedriveOptions{Wait: func(context.Context) error {
		if sent++; sent == 10 {
			cancel()
		}
		return nil
	}})
	first.Close()
	if !errors.Is(err, context.Canceled) || out.Redriven != 9 {
		t.Fatalf("%+v, %v", out, err)
	}
	equal(t, redrive(t, job(t, cl, o, dlq.Selection{})).Redriven, 21)
	for p, ids := range contents(t, o) {
		if len(ids) != 10 {
			t.Errorf("partition %d has %v", p, ids)
		}
	}
}

// Ctrl-C in the middle of a commit: what that one was to write, the last one writes.
func TestInterruptedCommit(t *testing.T) {
	c, o, cl := cluster(t)
	bury(t, cl, 3)
	ctx, cancel := context.WithCancel(t.Context())
	c.ControlKey(int16(kmsg.OffsetCommit), func(kmsg.Request) (kmsg.Response, error, bool) {
		cancel()
		return nil, errors.New("the connection is cut"), true
	})
	sent := 0
	first := job(t, cl, o, dlq.Selection{})
	out, err := first.Redrive(ctx, dlq.RedriveOptions{Wait: func(context.Context) error {
		if sent++; sent == 3 {
			<-ctx.Done()
		}
		return nil
	}})
	first.Close()
	if !errors.Is(err, context.Canceled) || out.Redriven != 2 {
		t.Fatalf("%+v, %v", out, err)
	}
	equal(t, redrive(t, job(t, cl, o, dlq.Selection{})).Redriven, 1)
}

// A letter that the topic refuses stays in the backlog, and the others go.
func TestRefusedByTheBroker(t *testing.T) {
	_, o, cl := cluster(t)
	limit := "1000"
	if _, err := kadm.NewClient(cl).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &limit}}, origin); err != nil {
		t.Fatal(err)
	}
	large := letter(t, 0, "x")
	noise := make([]byte, 2000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	large.Headers = []kgo.RecordHeader{{Key: "noise", Value: noise}}
	if err := kafka.Produce(t.Context(), cl, []*kgo.Record{large, letter(t, 1, "x")}); err != nil {
		t.Fatal(err)
	}
	out := redrive(t, job(t, cl, o, dlq.Selection{}))
	equal(t, []int{out.Redriven, out.Failed, len(out.Failures)}, []int{1, 1, 1})
	equal(t, backlog(t, cl, o), map[int32][]int64{0: {0}})
}

// canary redrives all with a canary, while a worker does as it is told with each event.
func canary(t *testing.T, work func(cl *kgo.Client, r *kgo.Record) error) (dlq.Outcome, map[int32][]string, error) {
	t.Helper()
	_, o, cl := cluster(t)
	bury(t, cl, 9)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		over <- kafka.Tail(ctx, o, kafka.TailOptions{Topics: []string{origin}, Group: "worker"}, func(records []*kgo.Record) error {
			for _, r := range records {
				if err := work(cl, r); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	j := job(t, cl, o, dlq.Selection{})
	groups, err := j.CanaryGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, groups, map[string]string{origin: "worker"})
	out, err := j.Redrive(t.Context(), dlq.RedriveOptions{Canary: &dlq.Canary{Timeout: 20 * time.Second}})
	j.Close()
	cancel()
	if err := <-over; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return out, contents(t, o), err
}

func TestCanaryPasses(t *testing.T) {
	out, ids, err := canary(t, func(*kgo.Client, *kgo.Record) error { return nil })
	if err != nil || out.Redriven != 9 || len(out.Canaries) != 1 || !out.Canaries[0].Passed {
		t.Fatalf("%+v, %v", out, err)
	}
	equal(t, ids[0], []string{"e0", "e3", "e6"})
}

func TestCanaryComesBack(t *testing.T) {
	out, ids, err := canary(t, func(cl *kgo.Client, r *kgo.Record) error {
		value, err := dlq.Cause{Reason: "still invalid", Origin: dlq.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}}.Attach(r.Value)
		if err != nil {
			return err
		}
		return kafka.Produce(t.Context(), cl, []*kgo.Record{{Topic: dead, Partition: 0, Value: value}})
	})
	var failed *dlq.CanaryError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "came back as task-events-dlq[0]@3: still invalid") {
		t.Fatalf("%+v, %v", out, err)
	}
	equal(t, ids, map[int32][]string{0: {"e0"}})
}

func TestCanaryIsNotRead(t *testing.T) {
	_, o, cl := cluster(t)
	bury(t, cl, 9)
	out, err := job(t, cl, o, dlq.Selection{}).Redrive(t.Context(), dlq.RedriveOptions{Canary: &dlq.Canary{Group: "nobody", Timeout: 50 * time.Millisecond}})
	if err == nil || !strings.Contains(err.Error(), `group "nobody" hasn't read it within 50ms`) || out.Redriven != 1 {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestDiscard(t *testing.T) {
	_, o, cl := cluster(t)
	bury(t, cl, 9)
	audit := filepath.Join(t.TempDir(), "data", "audit.jsonl")
	for _, s := range []dlq.Selection{{Reasons: []string{"timeout"}}, {IDs: []string{"e8"}}} {
		j := job(t, cl, o, s)
		if _, err := j.Discard(t.Context(), audit, "ann", "test events"); err != nil {
			t.Fatal(err)
		}
		j.Close()
	}
	equal(t, backlog(t, cl, o), map[int32][]int64{0: {0, 2}, 1: {0, 2}, 2: {0}})
	equal(t, contents(t, o), map[int32][]string{})
	text, err := os.ReadFile(audit)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if len(lines) != 4 || !strings.Contains(lines[3], `"user":"ann","topic":"task-events-dlq","partition":2,"offset":2,"event_id":"e8","reason":"invalid","because":"test events"}`) {
		t.Errorf("%q", lines)
	}
}

// What is settled is forgotten when somebody sets the offsets by hand.
func TestSetBack(t *testing.T) {
	_, o, cl := cluster(t)
	bury(t, cl, 6)
	redrive(t, job(t, cl, o, dlq.Selection{Reasons: []string{"timeout"}}))
	answers, err := kadm.NewClient(cl).CommitOffsets(t.Context(), dlq.Group, kadm.Offsets{dead: {0: kadm.Offset{Topic: dead, At: 0}}})
	if err = errors.Join(err, answers.Error()); err != nil {
		t.Fatal(err)
	}
	equal(t, backlog(t, cl, o), map[int32][]int64{0: {0, 1}, 1: {0}, 2: {0}})
}
