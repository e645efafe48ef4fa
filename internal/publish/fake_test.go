package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// outboxModel is an Outbox in memory. It holds what a database would, and nothing
// of what the relay remembers.
type outboxModel struct {
	broker *brokerModel // when set, marks are held against it

	mu       sync.Mutex
	rows     []*outboxRow // by row number - 1
	low      int          // rows below are published
	sequence map[taskKey]int64
	problems []string
	heads    int // calls
	marks    int // calls
	failures []task.Failure
	pruned   []time.Time

	leader chan struct{} // holds a token while nobody leads
	depose context.CancelFunc

	// fault, when set, is asked before each request; the error is its answer. With
	// applied, the request has its effect all the same.
	fault func(request string) (err error, applied bool)
	delay func() time.Duration
	late  time.Duration // of Heads' answer, after it was worked out

	size int // of the events' data, in bytes
}

type outboxRow struct {
	task.Event
	published, parked bool
	retryAt           time.Time
	reason            string
}

type taskKey struct {
	topic string
	task  int64
}

func newOutbox(broker *brokerModel) *outboxModel {
	o := &outboxModel{broker: broker, sequence: map[taskKey]int64{}, leader: make(chan struct{}, 1)}
	o.leader <- struct{}{}
	return o
}

// add stores the next event of a task.
func (o *outboxModel) add(topic string, id int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := taskKey{topic, id}
	o.sequence[key]++
	n := o.sequence[key]
	event := task.Event{
		Row: int64(len(o.rows) + 1), ID: fmt.Sprintf("%s-%d-%d", topic, id, n), Topic: topic,
		TaskID: id, Sequence: n, Time: time.Now(),
	}
	event.Payload = fmt.Appendf(nil, `{"specversion":"1.0","id":%q,"source":"todo-backend","type":"task.updated",`+
		`"partitionkey":"%d","sequence":"%d","data":{"title":%q}}`, event.ID, id, n, strings.Repeat("x", o.size))
	o.rows = append(o.rows, &outboxRow{Event: event})
}

func (o *outboxModel) request(ctx context.Context, name string) (error, bool) {
	if o.delay != nil {
		if err := sleep(ctx, o.delay()); err != nil {
			return err, false
		}
	}
	if o.fault != nil {
		if err, applied := o.fault(name); err != nil {
			return err, applied
		}
	}
	return ctx.Err(), false
}

func (o *outboxModel) Heads(ctx context.Context, limit int, held ...int64) ([]task.Event, error) {
	if err, _ := o.request(ctx, "heads"); err != nil {
		return nil, err
	}
	events := o.readHeads(limit, held)
	return events, sleep(ctx, o.late)
}

func (o *outboxModel) readHeads(limit int, held []int64) []task.Event {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.heads++
	for o.low < len(o.rows) && o.rows[o.low].published {
		o.low++
	}
	now := time.Now()
	seen := make(map[taskKey]struct{}, limit)
	var events []task.Event
	for _, r := range o.rows[o.low:] {
		if len(events) == limit {
			break
		}
		key := taskKey{r.Topic, r.TaskID}
		if _, later := seen[key]; r.published || later {
			continue
		}
		seen[key] = struct{}{}
		if !r.parked && !r.retryAt.After(now) && !slices.Contains(held, r.Row) {
			events = append(events, r.Event)
		}
	}
	return events
}

func (o *outboxModel) MarkPublished(ctx context.Context, rows []int64) error {
	err, applied := o.request(ctx, "mark published")
	if err != nil && !applied {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.marks++
	for _, row := range rows {
		r := o.rows[row-1]
		if o.broker != nil && !o.broker.acknowledged(r.ID) {
			o.problems = append(o.problems, "marked before it was acknowledged: "+r.ID)
		}
		r.published = true
	}
	return err
}

func (o *outboxModel) MarkFailed(ctx context.Context, failures []task.Failure) error {
	err, applied := o.request(ctx, "mark failed")
	if err != nil && !applied {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failures = append(o.failures, failures...)
	for _, f := range failures {
		r := o.rows[f.Row-1]
		r.Attempts++
		r.reason, r.retryAt, r.parked = f.Reason, f.RetryAt, f.Park
	}
	return err
}

func (o *outboxModel) Backlog(ctx context.Context) (task.Backlog, error) {
	if err, _ := o.request(ctx, "backlog"); err != nil {
		return task.Backlog{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var b task.Backlog
	for _, r := range o.rows[o.low:] {
		switch {
		case r.published:
		case r.parked:
			b.Parked++
		default:
			b.Pending++
			if b.Oldest.IsZero() {
				b.Oldest = r.Time
			}
		}
	}
	return b, nil
}

func (o *outboxModel) Lead(ctx context.Context) (context.Context, func(), error) {
	if err, _ := o.request(ctx, "lead"); err != nil {
		return nil, nil, err
	}
	select {
	case <-o.leader:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	lead, cancel := context.WithCancel(ctx)
	o.mu.Lock()
	o.depose = cancel
	o.mu.Unlock()
	return lead, func() { cancel(); o.leader <- struct{}{} }, nil
}

// lose ends the time of the leader.
func (o *outboxModel) lose() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.depose != nil {
		o.depose()
	}
}

func (o *outboxModel) Prune(ctx context.Context, before time.Time) (int, error) {
	if err, _ := o.request(ctx, "prune"); err != nil {
		return 0, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pruned = append(o.pruned, before)
	return len(o.pruned) % 2, nil // something at first, then nothing
}

// retry makes every event due, as an operator does.
func (o *outboxModel) retry() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.rows {
		r.parked, r.retryAt, r.Attempts = false, time.Time{}, 0
	}
}

func (o *outboxModel) count(is func(*outboxRow) bool) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, r := range o.rows {
		if is(r) {
			n++
		}
	}
	return n
}

func isPublished(r *outboxRow) bool { return r.published }
func isParked(r *outboxRow) bool    { return r.parked }

// pending is how many events aren't marked published.
func (o *outboxModel) pending() int {
	return o.count(func(r *outboxRow) bool { return !r.published })
}

// allPublished tells, cheaply, whether nothing is left.
func (o *outboxModel) allPublished() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.low < len(o.rows) && o.rows[o.low].published {
		o.low++
	}
	return o.low == len(o.rows)
}

// looks is how often Heads was asked.
func (o *outboxModel) looks() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.heads
}

func (o *outboxModel) failed() []task.Failure {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.failures)
}

// brokerModel is a Publisher and the log behind it.
type brokerModel struct {
	// answer decides on a batch: per message whether it is appended, and what the
	// publisher says of it. Nil: everything is appended and acknowledged.
	answer func(topic string, batch []Message) (appended []bool, errs []error)
	delay  func() time.Duration // of a call; nil: none

	mu       sync.Mutex
	log      []Message
	acked    map[string]bool
	inFlight map[string]int // by key
	calls    int            // in flight
	most     int            // calls in flight at once
	total    int
	problems []string
}

func newBroker() *brokerModel {
	return &brokerModel{acked: map[string]bool{}, inFlight: map[string]int{}}
}

func (b *brokerModel) Publish(ctx context.Context, topic string, batch []Message) []error {
	b.begin(topic, batch)
	defer b.end(topic, batch)
	if b.delay != nil {
		if err := sleep(ctx, b.delay()); err != nil {
			b.append(batch, nil) // the answer is lost, the records aren't
			return all(len(batch), err)
		}
	}
	if b.answer == nil {
		b.append(batch, nil)
		b.acknowledge(batch, nil)
		return nil
	}
	appended, errs := b.answer(topic, batch)
	b.append(batch, appended)
	b.acknowledge(batch, errs)
	return errs
}

func (b *brokerModel) begin(topic string, batch []Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total++
	b.calls++
	b.most = max(b.most, b.calls)
	for _, m := range batch {
		key := topic + "/" + m.Key
		if b.inFlight[key]++; b.inFlight[key] > 1 {
			b.problems = append(b.problems, "two events of a task in flight: "+m.ID)
		}
	}
}

func (b *brokerModel) end(topic string, batch []Message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls--
	for _, m := range batch {
		b.inFlight[topic+"/"+m.Key]--
	}
}

// append writes the messages to the log, all of them when which is nil.
func (b *brokerModel) append(batch []Message, which []bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, m := range batch {
		if which == nil || which[i] {
			b.log = append(b.log, m)
		}
	}
}

func (b *brokerModel) acknowledge(batch []Message, errs []error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, m := range batch {
		if errs == nil || errs[i] == nil {
			b.acked[m.ID] = true
		}
	}
}

func (b *brokerModel) acknowledged(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.acked[id]
}

func (b *brokerModel) size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.log)
}

func (b *brokerModel) callsSoFar() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.total
}

// check holds the log against the outbox: every event is there, nothing else, in
// each task's order, and repetitions are the same. It returns the repetitions.
func check(t *testing.T, o *outboxModel, b *brokerModel) int {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range append(o.problems, b.problems...) {
		t.Error(problem)
	}
	events := map[string]*outboxRow{}
	for _, r := range o.rows {
		events[r.ID] = r
	}
	seen := map[string]bool{}
	last := map[taskKey]int64{}
	repeated := 0
	for _, m := range b.log {
		e := events[m.ID]
		if e == nil {
			t.Errorf("phantom %s", m.ID)
			continue
		}
		if string(m.Data) != string(e.Payload) || m.Key != e.Key() || m.ContentType != task.ContentType {
			t.Errorf("%s has another content: %+v", m.ID, m)
		}
		if seen[m.ID] {
			repeated++
			continue
		}
		seen[m.ID] = true
		key := taskKey{e.Topic, e.TaskID}
		if e.Sequence != last[key]+1 {
			t.Errorf("task %d: sequence %d came after %d", e.TaskID, e.Sequence, last[key])
		}
		last[key] = e.Sequence
	}
	for id, r := range events {
		if !seen[id] {
			t.Errorf("lost %s", id)
		}
		if !r.published {
			t.Errorf("not marked %s", id)
		}
	}
	return repeated
}

// logLines counts log lines by their message.
type logLines struct {
	mu    sync.Mutex
	lines map[string]int
}

func newLogLines() *logLines { return &logLines{lines: map[string]int{}} }

func (l *logLines) Enabled(context.Context, slog.Level) bool { return true }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logLines) WithGroup(string) slog.Handler            { return l }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines[r.Message]++
	return nil
}

func (l *logLines) count(message string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines[message]
}

// start runs a relay until the function it returns is called, which waits for it.
func start(t *testing.T, o RelayOptions) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { over <- NewRelay(o).Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-over; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// eventually lets time pass until a condition holds, and returns how long it took.
// Only for use in a synctest bubble.
func eventually(t *testing.T, bound time.Duration, condition func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !condition() {
		if time.Since(began) > bound {
			t.Fatalf("not reached within %v", bound)
		}
		_ = sleep(t.Context(), min(max(bound/2000, 2*time.Millisecond), time.Second))
	}
	return time.Since(began)
}

var errAway = errors.New("connection refused")

func everything(n int) []bool {
	which := make([]bool, n)
	for i := range which {
		which[i] = true
	}
	return which
}

func nothing(n int) []bool { return make([]bool, n) }
