//go:build unix

package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	apache "github.com/todoctl/todoctl/test/kafka"
)

// nodes are Apache Kafka as a campaign runs it: each node is started again when it ends.
type nodes struct {
	*apache.Cluster
	children []*child
	client   *kgo.Client
	db       *sql.DB // PostgreSQL, past todoctl
	flows    []flow
}

// startNode starts a single node of Apache Kafka as the broker, behind the proxy.
func (s *stack) startNode(t *testing.T) {
	t.Helper()
	s.kafka = newProxy(t, "")
	cluster, children := runNodes(t, s.dir, 1, "advertised.listeners=PLAINTEXT://"+s.kafka.addr()+"\n", s.kafka)
	s.broker = children[0]
	awaitNodes(t, cluster, 1)
}

// startNodes starts several nodes, which clients reach without a proxy. The database has
// to be PostgreSQL.
func (s *stack) startNodes(t *testing.T, count int) {
	t.Helper()
	n := &nodes{}
	n.Cluster, n.children = runNodes(t, s.dir, count, "", nil)
	var err error
	if n.db, err = sql.Open("pgx", s.db.direct); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.db.Close() })
	if n.client, err = kgo.NewClient(kgo.SeedBrokers(n.Brokers()...), kgo.DisableClientMetrics()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.client.Close)
	awaitNodes(t, n.Cluster, count)
	s.nodes = n
}

// runNodes starts nodes that create no topic by themselves: Dapr asks for it, and what
// it gets has one partition.
func runNodes(t *testing.T, dir string, count int, settings string, front *proxy) (*apache.Cluster, []*child) {
	t.Helper()
	cluster, err := apache.New(t.Context(), count, "auto.create.topics.enable=false\n"+settings, os.Stderr)
	if errors.Is(err, apache.ErrMissing) {
		missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := cluster.Close(false); err != nil { // their output is in dir
			t.Error(err)
		}
	})
	if front != nil {
		front.lead(cluster.Brokers()[0])
	}
	var children []*child
	for id := range count {
		name := fmt.Sprintf("node%d", id)
		children = append(children, startChild(t, name, filepath.Join(dir, name+".log"), func() *exec.Cmd { return cluster.Command(id) }))
	}
	t.Cleanup(func() { // all at once, before each is waited for
		for _, c := range children {
			c.hold(true)
			c.strike(syscall.SIGKILL)
		}
	})
	return cluster, children
}

func awaitNodes(t *testing.T, cluster *apache.Cluster, count int) {
	t.Helper()
	if err := cluster.Await(t.Context(), count); err != nil {
		t.Fatal(err)
	}
}

// guardedTopics writes the topics as an operator of several nodes wants them: what is
// acknowledged is on two of them at least.
func (s *stack) guardedTopics(ctx context.Context) (string, error) {
	spec, err := exec.CommandContext(ctx, s.programs.todoctl, "topics", "spec").Output()
	if err != nil {
		return "", fmt.Errorf("topics spec: %w", err)
	}
	const settings = "    configs:\n"
	file := filepath.Join(s.dir, "topics.yaml")
	text := strings.ReplaceAll(string(spec), settings, settings+"      min.insync.replicas: 2\n")
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// metadata asks the cluster, not the client's memory.
func (n *nodes) metadata(ctx context.Context) (*kmsg.MetadataResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // a stopped node doesn't answer
	defer cancel()
	return kmsg.NewPtrMetadataRequest().RequestWith(ctx, n.client)
}

// leaders are the nodes that lead the partitions of the topic.
func (n *nodes) leaders(ctx context.Context) (map[int32]int32, error) {
	metadata, err := n.metadata(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the leaders: %w", err)
	}
	leaders := map[int32]int32{}
	for _, t := range metadata.Topics {
		if *t.Topic == topic {
			for _, p := range t.Partitions {
				leaders[p.Partition] = p.Leader
			}
		}
	}
	return leaders, nil
}

// whole says whether all nodes are up and have every record.
func (n *nodes) whole(ctx context.Context) bool {
	metadata, err := n.metadata(ctx)
	if err != nil || len(metadata.Brokers) != len(n.children) {
		return false
	}
	for _, t := range metadata.Topics {
		for _, p := range t.Partitions {
			if p.Leader < 0 || len(p.ISR) != len(n.children) {
				return false
			}
		}
	}
	return true
}
