package stack

import (
	"context"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A member speaks the protocol of classic groups, a request at a time.
type member struct {
	t          *testing.T
	client     *kgo.Client
	id         string
	generation int32
}

const sessionMillis = 1_000

// startShortSessions returns a broker that takes sessions of a second.
func startShortSessions(t *testing.T) *Broker {
	t.Helper()
	b := startBrokerIn(t, t.TempDir())
	least := "500"
	_, err := kadm.NewClient(client(t, b.Addr())).AlterBrokerConfigs(t.Context(), []kadm.AlterConfig{
		{Name: "group.min.session.timeout.ms", Value: &least},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func newMember(t *testing.T, b *Broker) *member {
	return &member{t: t, client: client(t, b.Addr())}
}

// join waits for the answer, or for the end of the member's client.
func (m *member) join() error {
	request := kmsg.NewPtrJoinGroupRequest()
	request.Group, request.ProtocolType = "group", "consumer"
	request.SessionTimeoutMillis, request.RebalanceTimeoutMillis = sessionMillis, 60_000
	protocol := kmsg.NewJoinGroupRequestProtocol()
	protocol.Name = "range"
	request.Protocols = append(request.Protocols, protocol)
	for {
		request.MemberID = m.id
		response, err := request.RequestWith(m.t.Context(), m.client)
		if err != nil {
			return err
		}
		m.id, m.generation = response.MemberID, response.Generation
		if response.ErrorCode == 0 {
			return nil
		}
	}
}

func (m *member) sync() {
	m.t.Helper()
	request := kmsg.NewPtrSyncGroupRequest()
	request.Group, request.MemberID, request.Generation = "group", m.id, m.generation
	response, err := request.RequestWith(m.t.Context(), m.client)
	if err != nil || response.ErrorCode != 0 {
		m.t.Fatalf("sync: %v, error code %d", err, response.ErrorCode)
	}
}

func (m *member) heartbeat() {
	m.t.Helper()
	request := kmsg.NewPtrHeartbeatRequest()
	request.Group, request.MemberID, request.Generation = "group", m.id, m.generation
	if _, err := request.RequestWith(m.t.Context(), m.client); err != nil {
		m.t.Fatal(err)
	}
}

// waitGroup waits until the group is as wanted, while alive go on with their heartbeats.
func waitGroup(t *testing.T, b *Broker, want func(*kfake.GroupInfo) bool, alive ...*member) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	group, err := b.cluster.WaitGroupInfo(ctx, "group", func(g *kfake.GroupInfo) bool {
		for _, m := range alive {
			m.heartbeat()
		}
		return g != nil && want(g)
	})
	if err != nil {
		t.Fatalf("%v, the group is %+v", err, group)
	}
}

func members(n int, state string) func(*kfake.GroupInfo) bool {
	return func(g *kfake.GroupInfo) bool { return len(g.Members) == n && g.State == state }
}

// Consumers that are killed while they wait to be let into the group must not keep
// partitions for ever. kfake forgets about half of them, so there are eight.
func TestSessionsOfDeadMembersEnd(t *testing.T) {
	const dead = 8
	b := startShortSessions(t)
	leader := newMember(t, b)
	if err := leader.join(); err != nil {
		t.Fatal(err)
	}
	leader.sync()
	joined := make(chan error, dead)
	var clients []*kgo.Client
	for range dead {
		m := newMember(t, b)
		clients = append(clients, m.client)
		go func() { joined <- m.join() }()
	}
	waitGroup(t, b, members(1+dead, "PreparingRebalance"), leader)
	for _, c := range clients {
		c.Close()
		if err := <-joined; err == nil {
			t.Fatal("a member was let in before it was dead")
		}
	}
	if err := leader.join(); err != nil {
		t.Fatal(err)
	}
	leader.sync()
	waitGroup(t, b, members(1+dead, "Stable"), leader)
	waitGroup(t, b, members(1, "PreparingRebalance"), leader)
}

// A consumer that waits for another one to join again, longer than its session, is answered.
func TestSessionOfWaitingMemberGoesOn(t *testing.T) {
	b := startShortSessions(t)
	leader, slow := newMember(t, b), newMember(t, b)
	if err := leader.join(); err != nil {
		t.Fatal(err)
	}
	leader.sync()
	joined := make(chan error, 2)
	go func() { joined <- slow.join() }()
	waitGroup(t, b, members(2, "PreparingRebalance"), leader)
	if err := leader.join(); err != nil {
		t.Fatal(err)
	}
	leader.sync()
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	slow.sync()

	waiting := leader.generation
	go func() { joined <- leader.join() }()
	waitGroup(t, b, members(2, "PreparingRebalance"), slow)
	since := time.Now()
	waitGroup(t, b, func(*kfake.GroupInfo) bool { return time.Since(since) > 3*sessionMillis*time.Millisecond }, slow)
	waitGroup(t, b, members(2, "PreparingRebalance"), slow)
	if err := slow.join(); err != nil {
		t.Fatal(err)
	}
	if err := <-joined; err != nil {
		t.Fatal(err)
	}
	if leader.generation != waiting+1 {
		t.Errorf("generation %d follows %d: the waiting member was put out", leader.generation, waiting)
	}
}
