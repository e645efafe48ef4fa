package stack

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// sessionLook is how often the groups of an embedded broker are looked at. It is short
// beside the least session timeout that a broker takes, 6 s.
const sessionLook = 500 * time.Millisecond

// WatchSessions keeps the sessions of classic consumer groups as Apache Kafka does, until
// ctx ends. addr is where the cluster listens. kfake does it otherwise in two cases
// (groups.go, reply and updateMemberAndRebalance, of the version in go.mod):
//
//   - a member whose connection ends while it waits for the answer to JoinGroup or SyncGroup
//     gets no session timeout. It stays, and keeps partitions that nobody reads. So each
//     member of a new generation gets one heartbeat, which starts that timeout.
//   - a member that waits for such an answer for longer than its session timeout is removed,
//     and never answered. So it gets heartbeats while it waits.
func WatchSessions(ctx context.Context, cluster *kfake.Cluster, addr string) {
	var dialer net.Dialer
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.DisableClientMetrics(),
		kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, addr) // clients may be sent to another address
		}))
	if err != nil {
		panic(err) // these options fit together
	}
	defer client.Close()
	s := sessions{client: client, cluster: cluster, groups: make(map[string]*groupSessions)}
	cluster.ControlKey(int16(kmsg.JoinGroup), s.observe)
	cluster.ControlKey(int16(kmsg.SyncGroup), s.observe)
	tick := time.NewTicker(sessionLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.look(ctx)
		}
	}
}

type sessions struct {
	client  *kgo.Client
	cluster *kfake.Cluster

	mu     sync.Mutex // observe runs on the cluster's own goroutine
	groups map[string]*groupSessions
}

type groupSessions struct {
	last    map[string]kmsg.Key // by member, JoinGroup or SyncGroup, whichever it sent last
	started int32               // the generation whose members have had their heartbeat
}

func (s *sessions) observe(request kmsg.Request) (kmsg.Response, error, bool) {
	switch r := request.(type) {
	case *kmsg.JoinGroupRequest:
		s.note(r.Group, r.MemberID, kmsg.JoinGroup)
	case *kmsg.SyncGroupRequest:
		s.note(r.Group, r.MemberID, kmsg.SyncGroup)
	}
	return nil, nil, false
}

func (s *sessions) note(group, member string, key kmsg.Key) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.groups[group]
	if !ok {
		g = &groupSessions{last: make(map[string]kmsg.Key), started: -1}
		s.groups[group] = g
	}
	g.last[member] = key
}

func (s *sessions) look(ctx context.Context) {
	s.mu.Lock()
	names := make([]string, 0, len(s.groups))
	for name := range s.groups {
		names = append(names, name)
	}
	s.mu.Unlock()
	for _, name := range names {
		info := s.cluster.GroupInfo(name)
		for _, member := range s.due(name, info) {
			s.heartbeat(ctx, info, member)
		}
	}
}

// due returns the members that need a heartbeat, and forgets those that are gone.
func (s *sessions) due(name string, info *kfake.GroupInfo) []kfake.GroupMember {
	s.mu.Lock()
	defer s.mu.Unlock()
	if info == nil || len(info.Members) == 0 {
		delete(s.groups, name)
		return nil
	}
	g := s.groups[name]
	last := make(map[string]kmsg.Key, len(info.Members))
	var due []kfake.GroupMember
	for _, member := range info.Members {
		key, ok := g.last[member.MemberID]
		if ok {
			last[member.MemberID] = key
		}
		switch info.State {
		case "PreparingRebalance":
			ok = ok && key == kmsg.JoinGroup
		case "CompletingRebalance":
			ok = ok && key == kmsg.SyncGroup
		default:
			ok = g.started != info.Epoch
		}
		if ok {
			due = append(due, member)
		}
	}
	g.last = last
	if info.State == "Stable" {
		g.started = info.Epoch
	}
	return due
}

// heartbeat leaves out what it is answered: a member that is gone meanwhile, or a new
// generation, is looked at again with the next look.
func (s *sessions) heartbeat(ctx context.Context, info *kfake.GroupInfo, member kfake.GroupMember) {
	request := kmsg.NewPtrHeartbeatRequest()
	request.Group, request.Generation = info.Group, info.Epoch
	request.MemberID, request.InstanceID = member.MemberID, member.InstanceID
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = request.RequestWith(ctx, s.client)
}
