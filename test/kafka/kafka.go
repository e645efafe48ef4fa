// Package kafka runs Apache Kafka for tests: real brokers in KRaft mode, one or three
// nodes that are broker and controller at once, on free ports of loopback, in a
// folder of their own.
//
// The settings are Kafka's own defaults, except for what makes a node small and its
// answers quick. Records are never deleted for their age, however short the retention
// of a topic, and compaction begins within a second.
//
// It needs java on PATH and, until the jars are in the user's cache folder, mvn.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/test/certs"
)

// ID is the id of every cluster.
const ID = "4L6g3nShT-eMCtK--X86sw"

const (
	startWithin = 2 * time.Minute
	look        = 100 * time.Millisecond // between two looks at what is awaited
)

// A Cluster is a Kafka cluster of our own.
type Cluster struct {
	dir     string
	nodes   []*node
	secured map[string]string // addresses by listener
}

// Start returns when all nodes answer. What takes long for the first time is told
// progress. Without java or mvn the error is ErrMissing.
func Start(ctx context.Context, nodes int, progress io.Writer) (*Cluster, error) {
	return launch(ctx, nodes, "", progress)
}

func launch(ctx context.Context, nodes int, folder certs.Folder, progress io.Writer) (*Cluster, error) {
	c, err := prepared(ctx, nodes, folder, "", progress)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx); err != nil {
		_, closed := c.Close(false)
		return nil, errors.Join(err, closed)
	}
	return c, nil
}

// New prepares nodes for a caller that runs them itself, with Command; they have their
// settings and empty storage. The lines of more are settings too, and win. Progress and
// error are those of Start, and Close is to be called when the nodes have ended.
func New(ctx context.Context, nodes int, more string, progress io.Writer) (*Cluster, error) {
	return prepared(ctx, nodes, "", more, progress)
}

func prepared(ctx context.Context, nodes int, folder certs.Folder, more string, progress io.Writer) (*Cluster, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, ErrMissing
	}
	lib, err := jars(ctx, brokerPOM, progress)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "todoctl-kafka")
	if err != nil {
		return nil, err
	}
	// What starts fastest: the tests are over before a better compiler would pay.
	command := []string{java, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=INFO", "-cp", filepath.Join(lib, "*")}
	c := &Cluster{dir: dir}
	for id := range nodes {
		c.nodes = append(c.nodes, &node{id: id, java: command, dir: filepath.Join(dir, fmt.Sprintf("node%d", id))})
	}
	if err := c.prepare(ctx, folder, more); err != nil {
		_, closed := c.Close(false)
		return nil, errors.Join(err, closed)
	}
	return c, nil
}

// prepare writes settings and storage of the nodes.
func (c *Cluster) prepare(ctx context.Context, folder certs.Folder, more string) error {
	if err := c.configure(ctx, folder, more); err != nil {
		return err
	}
	var users []string
	if folder != "" {
		users = scramUsers()
	}
	var formats sync.WaitGroup
	errs := make([]error, len(c.nodes))
	for i, n := range c.nodes {
		formats.Go(func() { errs[i] = n.format(ctx, ID, users) })
	}
	formats.Wait()
	return errors.Join(errs...)
}

func (c *Cluster) start(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return err
		}
	}
	return c.Await(ctx, len(c.nodes))
}

// Command is how a node is run in the foreground, any number of times; it ends in good
// order with SIGTERM.
func (c *Cluster) Command(node int) *exec.Cmd { return c.nodes[node].command() }

// configure chooses ports and writes the nodes' settings.
func (c *Cluster) configure(ctx context.Context, folder certs.Folder, more string) error {
	ports, err := freePorts(ctx, 2*len(c.nodes))
	if err != nil {
		return err
	}
	var voters []string
	for _, n := range c.nodes {
		n.address = ports[2*n.id]
		voters = append(voters, fmt.Sprintf("%d@%s", n.id, ports[2*n.id+1]))
	}
	for _, n := range c.nodes {
		if err := os.Mkdir(n.dir, 0o700); err != nil {
			return err
		}
		text := fmt.Sprintf(settings, n.id, strings.Join(voters, ","), n.address, ports[2*n.id+1], filepath.Join(n.dir, "data"), len(c.nodes)) + more
		if folder != "" {
			if text, err = c.secure(ctx, folder, text); err != nil {
				return err
			}
		}
		if err := os.WriteFile(n.settings(), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

const settings = `process.roles=broker,controller
node.id=%[1]d
controller.quorum.voters=%[2]s
listeners=PLAINTEXT://%[3]s,CONTROLLER://%[4]s
advertised.listeners=PLAINTEXT://%[3]s
controller.listener.names=CONTROLLER
log.dirs=%[5]s
offsets.topic.num.partitions=1
offsets.topic.replication.factor=%[6]d
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=%[6]d
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
log.initial.task.delay.ms=3600000
log.cleaner.backoff.ms=200
log.cleaner.dedupe.buffer.size=4194304
`

// freePorts are addresses that nothing listens at, below the range from which the
// system takes ports for outgoing connections: a node that was killed finds its own free
// again.
func freePorts(ctx context.Context, count int) ([]string, error) {
	var addresses []string
	var config net.ListenConfig
	for tries := 0; len(addresses) < count; tries++ {
		l, err := config.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.N(15000)))
		switch {
		case err == nil:
			defer l.Close() // all of them at the end: else two might be the same
			addresses = append(addresses, l.Addr().String())
		case tries > 100:
			return nil, err
		}
	}
	return addresses, nil
}

// Brokers are the nodes' addresses.
func (c *Cluster) Brokers() []string {
	var addresses []string
	for _, n := range c.nodes {
		addresses = append(addresses, n.address)
	}
	return addresses
}

// Await waits until so many brokers are up and a node knows them.
func (c *Cluster) Await(ctx context.Context, brokers int) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.DisableClientMetrics())
	if err != nil {
		return err
	}
	defer client.Close()
	return until(ctx, func() error {
		req := kmsg.NewPtrMetadataRequest() // kadm would answer from the client's cache
		req.Topics = []kmsg.MetadataRequestTopic{}
		metadata, err := req.RequestWith(ctx, client)
		if err == nil && len(metadata.Brokers) != brokers {
			err = fmt.Errorf("%d brokers are up, want %d", len(metadata.Brokers), brokers)
		}
		return err
	}, c.failed)
}

// failed tells of a node that has ended by itself.
func (c *Cluster) failed() error {
	for _, n := range c.nodes {
		if n.process != nil && !n.runs() {
			return n.failure()
		}
	}
	return nil
}

// until tries again until there is no error, or a reason to give up.
func until(ctx context.Context, try, hopeless func() error) error {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		if why := hopeless(); why != nil {
			return why
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Kill ends a node as kill -9 does.
func (c *Cluster) Kill(node int) { c.nodes[node].kill() }

// Restart starts a node that was killed, with what it has on disk and the address it
// had, and returns when it is one of the cluster again.
func (c *Cluster) Restart(ctx context.Context, node int) error {
	if err := c.nodes[node].start(); err != nil {
		return err
	}
	running := 0
	for _, n := range c.nodes {
		if n.runs() {
			running++
		}
	}
	return c.Await(ctx, running)
}

// Close stops the nodes, those that don't end in good order after 5 s with force, and
// removes their folder. With keep their logs stay, in the folder returned.
func (c *Cluster) Close(keep bool) (string, error) {
	for _, n := range c.nodes {
		n.terminate()
	}
	patience := time.After(stopWithin)
	for _, n := range c.nodes {
		if n.runs() {
			select {
			case <-n.exited:
			case <-patience:
				patience = time.After(0)
				n.kill()
			}
		}
	}
	if !keep {
		return "", os.RemoveAll(c.dir)
	}
	var errs []error
	for _, n := range c.nodes {
		errs = append(errs, os.RemoveAll(filepath.Join(n.dir, "data")))
	}
	return c.dir, errors.Join(errs...)
}
