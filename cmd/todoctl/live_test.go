//go:build unix

package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/server"
	"github.com/todoctl/todoctl/internal/task"
)

// A replica is an API with live updates over loopback.
type replica struct {
	url    string
	reader *liveReader
	log    *lockedText
	stop   func()
}

// startReplica runs a replica until it is stopped or the test ends.
func startReplica(t testing.TB, brokers []string, o server.HubOptions) *replica {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &replica{url: "http://" + listener.Addr().String(), log: &lockedText{}}
	r.reader = newLiveReader(kafka.Options{Brokers: brokers}, slog.New(slog.NewTextHandler(r.log, nil)), o)
	ctx, cancel := context.WithCancel(t.Context())
	var parts sync.WaitGroup
	parts.Go(func() {
		if err := r.reader.run(ctx); err != nil {
			t.Errorf("reader: %v", err)
		}
	})
	parts.Go(func() {
		defer context.AfterFunc(ctx, r.reader.hub.Close)()
		if err := server.Serve(ctx, listener, server.New(server.Options{Hub: r.reader.hub}), server.ServeOptions{}); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); parts.Wait() })
	t.Cleanup(r.stop)
	return r
}

// A lockedText is a log that is read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), text)
}

// A listener reads a user's stream.
type listener struct {
	t     testing.TB
	lines *bufio.Scanner
	body  io.Closer
	id    string
}

// listen opens a stream and returns once it is answered.
func listen(t testing.TB, r *replica, user, lastID string) *listener {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url+"/api/"+user+"/tasks/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("stream: %s", resp.Status)
	}
	l := &listener{t: t, lines: bufio.NewScanner(resp.Body), body: resp.Body}
	l.lines.Buffer(make([]byte, 0, 4<<10), 1<<20)
	return l
}

func (l *listener) hangUp() {
	if err := l.body.Close(); err != nil {
		l.t.Error(err)
	}
}

// joined reads up to the position that a new stream begins with.
func (l *listener) joined() *listener {
	for l.id == "" && l.lines.Scan() {
		l.id = idOf(l.lines.Text())
	}
	return l
}

func idOf(line string) string {
	id, ok := strings.CutPrefix(line, "id: ")
	if !ok {
		return ""
	}
	return id
}

// next returns the data of the next event, "" at the end of the stream. The id of an
// event stands before its data.
func (l *listener) next() string {
	for l.lines.Scan() {
		l.id = cmp.Or(idOf(l.lines.Text()), l.id)
		if data, ok := strings.CutPrefix(l.lines.Text(), "data: "); ok {
			return data
		}
	}
	return ""
}

// titles returns those of the next n events.
func (l *listener) titles(n int) []string {
	l.t.Helper()
	var titles []string
	for range n {
		data := l.next()
		_, title, _ := strings.Cut(data, `"title":"`)
		title, _, _ = strings.Cut(title, `"`)
		if title == "" {
			l.t.Fatalf("no task in %q", data)
		}
		titles = append(titles, title)
	}
	return titles
}

func updatesCluster(t testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(3, task.UpdatesTopic)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func waitFor(t testing.TB, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited %s", patience)
		}
	}
}

// syncRecord is the event of a change, as the API makes it and Dapr sorts it.
func syncRecord(user string, id int, title string) *kgo.Record {
	return &kgo.Record{Topic: task.UpdatesTopic, Key: fmt.Append(nil, id), Value: fmt.Appendf(nil,
		`{"data":{"data":{"action":"updated","fields_changed":["title"],"snapshot":{"id":%d,"sequence":1,"title":%q},"task_id":%d},"event_type":"task.sync","user_id":%q},`+
			`"id":"e","source":"todo-backend","specversion":"1.0","type":"task.sync"}`, id, title, id, user)}
}

// produceUpdates makes a record of the user's for each title, on all partitions.
func produceUpdates(t testing.TB, brokers []string, user string, titles ...string) {
	t.Helper()
	client, err := kafka.NewClient(kafka.Options{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for i, title := range titles {
		records = append(records, syncRecord(user, i+1, title))
	}
	if err := kafka.Produce(t.Context(), client, records); err != nil {
		t.Fatal(err)
	}
}

func numbered(prefix string, n int) []string {
	titles := make([]string, n)
	for i := range titles {
		titles[i] = fmt.Sprintf("%s%04d", prefix, i)
	}
	return titles
}

func wantTitles(t testing.TB, got []string, want ...string) {
	t.Helper()
	slices.Sort(got)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// Every replica shows every change; one that a client comes back to shows it what it
// has missed, also when it has just been started or remembers nothing.
func TestLiveUpdatesOnReplicas(t *testing.T) {
	c := updatesCluster(t)
	t.Cleanup(c.Close)
	brokers := c.ListenAddrs()
	produceUpdates(t, brokers, "u1", "before")
	a, b := startReplica(t, brokers, server.HubOptions{}), startReplica(t, brokers, server.HubOptions{Remembered: 1})
	one, two, other := listen(t, a, "u1", "").joined(), listen(t, b, "u1", "").joined(), listen(t, b, "u2", "").joined()
	produceUpdates(t, brokers, "u1", numbered("x", 30)...)
	wantTitles(t, one.titles(30), numbered("x", 30)...)
	wantTitles(t, two.titles(30), numbered("x", 30)...)

	one.hangUp()
	a.stop()
	produceUpdates(t, brokers, "u1", numbered("y", 30)...)
	wantTitles(t, two.titles(30), numbered("y", 30)...)
	for name, r := range map[string]*replica{"just started": startReplica(t, brokers, server.HubOptions{}), "remembers nothing": b} {
		back := listen(t, r, "u1", one.id)
		wantTitles(t, back.titles(30), numbered("y", 30)...)
		back.hangUp()
		if r.log.count("WARN") > 0 {
			t.Errorf("%s: %s", name, &r.log.text)
		}
	}
	produceUpdates(t, brokers, "u2", "mine")
	wantTitles(t, other.titles(1), "mine")
}

// The broker isn't there when the first client comes, and goes away later.
func TestLiveUpdatesOutliveTheBroker(t *testing.T) {
	dir := t.TempDir()
	c := updatesCluster(t, kfake.DataDir(dir), kfake.SyncWrites())
	brokers := c.ListenAddrs()
	_, port, err := net.SplitHostPort(brokers[0])
	if err != nil {
		t.Fatal(err)
	}
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	again := func() { c = updatesCluster(t, kfake.DataDir(dir), kfake.SyncWrites(), kfake.Ports(number)) }
	c.Close()
	r := startReplica(t, brokers, server.HubOptions{})
	l := listen(t, r, "u1", "") // answered while there is no broker
	again()
	if got := l.next(); got != `{"reason":"no live updates could be read for a while"}` {
		t.Errorf("first: %s", got)
	}
	for i := range 2 {
		produceUpdates(t, brokers, "u1", fmt.Sprint("after ", i))
		wantTitles(t, l.titles(1), fmt.Sprint("after ", i))
		c.Close()
		waitFor(t, func() bool { return r.log.count("live updates wait") == 2+i })
		again()
	}
	produceUpdates(t, brokers, "u1", "last")
	wantTitles(t, l.titles(1), "last")
	waitFor(t, func() bool { return r.log.count("live updates go on") == 3 })
	r.stop()
	c.Close()
}

// Records that a client hasn't seen were deleted, or the topic was made anew: it is
// told, and goes on.
func TestLiveUpdatesResetWhatIsLost(t *testing.T) {
	c := updatesCluster(t)
	t.Cleanup(c.Close)
	brokers := c.ListenAddrs()
	r := startReplica(t, brokers, server.HubOptions{Remembered: 1})
	l := listen(t, r, "u1", "").joined()
	first := l.id
	produceUpdates(t, brokers, "u1", numbered("x", 9)...)
	l.titles(9)
	for p := range int32(3) {
		if err := c.DeleteRecords(task.UpdatesTopic, p, 1); err != nil {
			t.Fatal(err)
		}
	}
	const lost = `{"reason":"the updates since that position couldn't be read"}`
	if got := listen(t, r, "u1", first).next(); got != lost {
		t.Errorf("records deleted: %s", got)
	}
	if err := c.DeleteTopic(task.UpdatesTopic); err != nil {
		t.Fatal(err)
	}
	if err := c.CreateTopic(task.UpdatesTopic, 1, nil); err != nil {
		t.Fatal(err)
	}
	if got := l.next(); got != `{"reason":"the log of updates isn't what it was"}` {
		t.Errorf("topic made anew: %s", got)
	}
	produceUpdates(t, brokers, "u1", "new")
	wantTitles(t, l.titles(1), "new")
	if got := listen(t, r, "u1", first).next(); got != `{"reason":"the position is of another log"}` {
		t.Errorf("old position: %s", got)
	}
}

const (
	liveClients = 1000
	liveUsers   = 100
	liveChanges = 2000
)

// A thousand clients of a hundred users on two replicas: each gets each change of
// its user once, in the order of its task.
func TestLiveUpdatesOfAThousandClients(t *testing.T) {
	c := updatesCluster(t)
	t.Cleanup(c.Close)
	brokers := c.ListenAddrs()
	replicas := []*replica{startReplica(t, brokers, server.HubOptions{}), startReplica(t, brokers, server.HubOptions{})}
	listeners := make([]*listener, liveClients)
	for i := range listeners {
		listeners[i] = listen(t, replicas[i%2], fmt.Sprint("user", i/10), "").joined()
	}
	got := make([][]string, liveClients)
	var clients sync.WaitGroup
	for i, l := range listeners {
		clients.Go(func() { got[i] = l.titles(liveChanges / liveUsers) })
	}
	records := make([]*kgo.Record, liveChanges)
	for i := range records { // each user has one task
		user := i % liveUsers
		records[i] = syncRecord(fmt.Sprint("user", user), user+1, fmt.Sprintf("%04d", i))
	}
	client, err := kafka.NewClient(kafka.Options{Brokers: brokers})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := kafka.Produce(t.Context(), client, records); err != nil {
		t.Fatal(err)
	}
	clients.Wait()
	for i := range got {
		var want []string
		for n := i / 10; n < liveChanges; n += liveUsers {
			want = append(want, fmt.Sprintf("%04d", n))
		}
		if diff := gocmp.Diff(want, got[i]); diff != "" {
			t.Fatalf("client %d (-want +got)\n%s", i, diff)
		}
	}
	for _, r := range replicas {
		r.stop() // at once, with 500 streams open
	}
}
