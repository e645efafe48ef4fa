package status

import (
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
	"github.com/todoctl/todoctl/internal/topics"
)

// What takes connections and never answers holds up nothing for longer than Limit.
func TestAPartThatHangsIsToldInTime(t *testing.T) {
	hole, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { hole.Close() })
	addr := hole.Addr().String()
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s := Read(t.Context(), Options{
		APIURL: "http://" + addr, Client: client, Specs: topics.Builtin(), Sidecar: stack.Endpoint{Addr: addr},
		Database: "postgres://u:secret@" + addr + "/todo", WorkerAddr: addr, WorkerGroup: "worker",
	})
	want := []string{"api", "broker", "topics", "sidecar", "database", "outbox", "groups", "worker"}
	if diff := cmp.Diff(want, s.NotWell); diff != "" || s.OK {
		t.Error(diff)
	}
	for _, p := range s.parts() {
		if p.Problem == "" || p.Next == "" {
			t.Errorf("%s: problem %q, next %q", p.name, p.Problem, p.Next)
		}
	}
	if most := Limit + Limit/2; s.Seconds > most.Seconds() {
		t.Errorf("took %.1f s, at most %s are allowed", s.Seconds, most)
	}
}

func TestGroupsThatFallBehind(t *testing.T) {
	none, one, behind, old := 0, 1, int64(3), 61.0
	o := Options{WorkerGroup: "worker", MaxLagAge: time.Minute}
	for name, c := range map[string]struct {
		group Group
		want  string
	}{
		"the worker stopped": {Group{Group: "worker", Members: &none, Lag: &behind}, "worker has 3 unread and no members"},
		"another stopped":    {Group{Group: "tail", Members: &none, Lag: &behind, LagSeconds: &old}, ""},
		"another lags":       {Group{Group: "tail", Members: &one, Lag: &behind, LagSeconds: &old}, "tail has 3 unread, the oldest for 61 s"},
		"not known":          {Group{Group: "share"}, ""},
	} {
		g := Groups{Part: well(), Groups: []Group{c.group}}
		g.judge(o)
		if g.Problem != c.want || g.OK != (c.want == "") {
			t.Errorf("%s: %q, want %q", name, g.Problem, c.want)
		}
	}
}
