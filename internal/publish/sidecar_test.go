package publish

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// daprd finds the sidecar's binary, or skips the test.
func daprd(t testing.TB) string {
	t.Helper()
	beside, err := filepath.Abs("../../bin/daprd")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{os.Getenv("TODOCTL_DAPRD"), beside} {
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no daprd: set TODOCTL_DAPRD")
	}
	t.Skip("no daprd: set TODOCTL_DAPRD")
	return ""
}

// A process is a real sidecar that can be killed and started again.
type process struct {
	t         testing.TB
	resources string
	env       []string
	http      int
	grpc      int
	internal  int
	command   *exec.Cmd
	output    lockedBuffer
}

// newSidecar prepares a sidecar with one Kafka component of the name pubsub;
// metadata are further lines of the component's.
func newSidecar(t testing.TB, broker string, metadata ...string) *process {
	t.Helper()
	ports := freePorts(t, 3)
	p := &process{t: t, resources: t.TempDir(), http: ports[0], grpc: ports[1], internal: ports[2]}
	component := fmt.Sprintf(`apiVersion: dapr.io/v1alpha1
kind: Component
metadata:
  name: pubsub
spec:
  type: pubsub.kafka
  version: v1
  metadata:
  - {name: brokers, value: %q}
  - {name: authType, value: none}
  - {name: initialOffset, value: oldest}
  - {name: dialTimeout, value: 5s}
  - {name: readTimeout, value: 5s}
  - {name: writeTimeout, value: 5s}
`, broker)
	for _, line := range metadata {
		component += "  - " + line + "\n"
	}
	if err := os.WriteFile(filepath.Join(p.resources, "pubsub.yaml"), []byte(component), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	return p
}

// start runs the sidecar and waits until it can publish.
func (p *process) start() {
	p.t.Helper()
	p.command = exec.Command(daprd(p.t),
		"--app-id", "todo-backend", "--resources-path", p.resources, "--log-level", "warn",
		"--dapr-http-port", fmt.Sprint(p.http), "--dapr-grpc-port", fmt.Sprint(p.grpc),
		"--dapr-internal-grpc-port", fmt.Sprint(p.internal),
		"--dapr-listen-addresses", "127.0.0.1", "--dapr-internal-grpc-listen-address", "127.0.0.1",
		"--enable-metrics=false")
	p.command.Env = append(os.Environ(), append(p.env, "DAPR_HOST_IP=127.0.0.1")...)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/v1.0/healthz/outbound", p.http)
	until(p.t, 20*time.Second, "the sidecar is ready", func() bool {
		response, err := http.Get(url)
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode < 300
	})
}

func (p *process) kill() {
	if p.command == nil {
		return
	}
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
	p.command = nil
	if p.t.Failed() {
		p.t.Logf("sidecar:\n%s", p.output.String())
	}
}

// publisher connects to the sidecar.
func (p *process) publisher(o DaprOptions) *Dapr {
	p.t.Helper()
	o.GRPCAddr = fmt.Sprintf("127.0.0.1:%d", p.grpc)
	if o.PubSub == "" {
		o.PubSub = "pubsub"
	}
	oneNewDapr.Lock()
	d, err := NewDapr(o)
	oneNewDapr.Unlock()
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = d.Close() })
	return d
}

// NewDapr isn't for several goroutines at once, and the tests are parallel.
var oneNewDapr sync.Mutex

// lockedBuffer is written by the process and read by the test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// until waits for a condition.
func until(t testing.TB, bound time.Duration, what string, condition func() bool) {
	t.Helper()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.NewTimer(bound)
	defer deadline.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-deadline.C:
			t.Fatalf("%s: not within %v", what, bound)
		}
	}
}

// A broker is a Kafka broker that can be closed and opened again, with its records.
type broker struct {
	t       testing.TB
	port    int
	options []kfake.Opt
	cluster *kfake.Cluster
}

// openBroker opens a broker that makes no topics by itself.
func openBroker(t testing.TB, options ...kfake.Opt) *broker {
	t.Helper()
	port := freePorts(t, 1)[0]
	b := &broker{t: t, port: port, options: append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(t.TempDir()),
	}, options...)}
	b.open()
	t.Cleanup(b.close)
	return b
}

func (b *broker) open() {
	b.t.Helper()
	cluster, err := kfake.NewCluster(b.options...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.cluster = cluster
}

func (b *broker) close() {
	if b.cluster != nil {
		b.cluster.Close()
	}
	b.cluster = nil
}

func (b *broker) addr() string { return fmt.Sprintf("127.0.0.1:%d", b.port) }

func (b *broker) client(options ...kgo.Opt) *kgo.Client {
	b.t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.addr())}, options...)...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	return client
}

// read returns the first n records of a topic, in the order of each partition.
func (b *broker) read(topic string, n int) []*kgo.Record {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	client := b.client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer client.Close()
	var records []*kgo.Record
	for len(records) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			b.t.Fatalf("%s has %d records, want %d", topic, len(records), n)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

// messages makes a batch with one message a key.
func messages(keys ...string) []Message {
	batch := make([]Message, len(keys))
	for i, key := range keys {
		batch[i] = sized(key, 100)
	}
	return batch
}

// sized makes a CloudEvent with so many bytes of data.
func sized(key string, size int) Message {
	return Message{
		ID: "event-" + key, Key: key, ContentType: "application/cloudevents+json",
		Data: fmt.Appendf(nil, `{"specversion":"1.0","id":"event-%s","source":"todo-backend","type":"task.created","data":{"x":%q}}`, key, strings.Repeat("x", size)),
	}
}

func keys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint(i)
	}
	return keys
}

func makeTopic(t *testing.T, b *broker, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(b.client()).CreateTopic(t.Context(), 3, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}
