//go:build unix

package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const topic = "task-events"

// A stack is all the processes of a campaign.
type stack struct {
	seed     uint64
	dir      string
	db       *database
	broker   *child     // nil with three nodes
	control  string     // of the broker: HOST:PORT; "" of Apache Kafka
	kafka    *proxy     // before the broker
	nodes    *nodes     // instead of the broker, when there are three
	disk     *smallDisk // of the broker, when it was to have one that can be filled
	replicas []*replica
	programs programs
}

// children are the programs that are started again when they end.
func (s *stack) children() []*child {
	var all []*child
	if s.broker != nil {
		all = append(all, s.broker)
	}
	if s.nodes != nil {
		all = append(all, s.nodes.children...)
	}
	for _, r := range s.replicas {
		all = append(all, r.child)
	}
	return all
}

// newStack starts a broker without topics and the replicas on a database.
func newStack(t *testing.T, o options, dir string) *stack {
	t.Helper()
	s := &stack{seed: o.seed, dir: dir, programs: o.programs}
	if o.postgres {
		s.db = newPostgres(t)
	} else {
		s.db = newSQLite(t, dir)
	}
	if o.smallBroker {
		s.disk = newSmallDisk(t, filepath.Join(dir, "broker"))
	}
	switch {
	case o.nodes > 1:
		s.startNodes(t, o.nodes)
	case o.nodes == 1:
		s.startNode(t)
	default:
		s.startBroker(t, o.rebalance)
	}
	for number := range o.replicas {
		s.replicas = append(s.replicas, newReplica(t, s, number, o))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for _, r := range s.replicas {
		if !poll(ctx, func() bool { return r.ready(ctx) }) {
			t.Fatalf("%s isn't ready:\n%s", r.name, r.tail())
		}
	}
	return s
}

func (s *stack) startBroker(t *testing.T, rebalance time.Duration) {
	t.Helper()
	addr := freeAddr(t)
	s.kafka, s.control = newProxy(t, addr), freeAddr(t)
	settings, err := json.Marshal(brokerSettings{
		Listen: addr, Advertise: s.kafka.addr(), Control: s.control, Dir: filepath.Join(s.dir, "broker"), Rebalance: rebalance,
	})
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s.broker = startChild(t, "broker", filepath.Join(s.dir, "broker.log"), func() *exec.Cmd {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), brokerVariable+"="+string(settings))
		return cmd
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if !poll(ctx, func() bool { _, err := s.order(ctx, http.MethodGet, "/"); return err == nil }) {
		t.Fatal("the broker doesn't start")
	}
}

// brokers are the addresses that clients are given.
func (s *stack) brokers() string {
	if s.nodes != nil {
		return strings.Join(s.nodes.Brokers(), ",")
	}
	return s.kafka.addr()
}

// order sends an order to the broker's process.
func (s *stack) order(ctx context.Context, method, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, "http://"+s.control+path, nil)
	if err != nil {
		return "", err
	}
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return string(answer), err
}

// makeTopics makes the topics as a user does.
func (s *stack) makeTopics(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	args := []string{"topics", "setup", "--brokers", s.brokers(), "--data-dir", s.dir}
	if s.nodes != nil {
		file, err := s.guardedTopics(ctx)
		if err != nil {
			return err
		}
		args = append(args, "-f", file)
	}
	cmd := exec.CommandContext(ctx, s.programs.todoctl, args...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("topics setup: %w\n%s", err, out)
	}
	return nil
}

// leader is the replica whose relay leads; any one when none says so.
func (s *stack) leader(ctx context.Context, fallback int) *replica {
	for _, r := range s.replicas {
		if r.leads(ctx) {
			return r
		}
	}
	return s.replicas[fallback%len(s.replicas)]
}

// freeAddr is an address below the range from which the system takes ports for
// outgoing connections: a program that was killed finds its own free again.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.N(15000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}
