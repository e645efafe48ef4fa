package doctor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/topics"
)

// broker runs a real broker, with the stack's topics unless they are left out, and
// returns options of a machine on which only that runs.
func broker(t *testing.T, dir string, setup bool, opts ...kfake.Opt) (Options, *kfake.Cluster, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	o := options(t, dir)
	o.Foreign = false
	o.Brokers, o.BrokersFrom = c.ListenAddrs(), Setting{Value: c.ListenAddrs()[0], Source: "--brokers", Chosen: true}
	client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	if setup {
		state, err := topics.Read(t.Context(), client, topics.Names(topics.Builtin()))
		if err == nil {
			_, err = topics.Apply(t.Context(), client, topics.Diff(topics.Builtin(), state))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return o, c, client
}

// An advertising listener says that it listens elsewhere: the broker tells its clients
// that address.
type advertising struct {
	net.Listener
	addr net.Addr
}

func (a advertising) Addr() net.Addr { return a.addr }

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// silent takes connections until the test ends and answers none; it returns its address.
func silent(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var held []net.Conn
		defer func() {
			for _, conn := range held {
				conn.Close()
			}
		}()
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			held = append(held, conn)
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

func TestBroker(t *testing.T) {
	t.Run("well", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		expect(t, examine(t, o))
	})
	t.Run("11 it is down", func(t *testing.T) {
		o := options(t, "")
		o.BrokersFrom = Setting{Source: "--brokers", Chosen: true}
		r := examine(t, o)
		expect(t, r, "broker.reach")
		if len(r.NotChecked) < 5 {
			t.Errorf("not checked: %v", r.NotChecked)
		}
	})
	t.Run("12 it advertises what can't be reached", func(t *testing.T) {
		addr, wrong := "", address("127.0.0.1:1")
		o, _, _ := broker(t, "", false, kfake.ListenFn(func(network, address string) (net.Listener, error) {
			ln, err := net.Listen(network, address)
			if err == nil {
				addr = ln.Addr().String()
			}
			return advertising{ln, wrong}, err
		}))
		o.Brokers = []string{addr}
		r := examine(t, o)
		expect(t, r, "broker.advertised")
		if want := (Fact{"advertised", "127.0.0.1:1"}); len(r.Findings) != 1 || r.Findings[0].Evidence[1] != want {
			t.Errorf("evidence %v", r.Findings)
		}
	})
	t.Run("12 it advertises a name that nobody knows", func(t *testing.T) {
		o, c, _ := broker(t, "", true)
		c.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			resp := req.ResponseKind().(*kmsg.MetadataResponse)
			b := kmsg.NewMetadataResponseBroker()
			b.Host, b.Port = "redpanda.invalid", 9092
			resp.Brokers = append(resp.Brokers, b)
			return resp, nil, true
		})
		r := examine(t, o)
		expect(t, r, "broker.advertised")
		want := Fact{"advertised", "redpanda.invalid:9092"}
		if len(r.Findings) != 1 || r.Findings[0].Evidence[1] != want {
			t.Errorf("evidence %v", r.Findings)
		}
	})
	t.Run("11 it takes connections and says nothing", func(t *testing.T) {
		o := options(t, "")
		o.Brokers, o.BrokersFrom = []string{silent(t)}, Setting{Source: "--brokers", Chosen: true}
		r := examine(t, o)
		expect(t, r, "broker.reach")
		if r.Took > 6 {
			t.Errorf("took %.1f s", r.Took)
		}
	})
	t.Run("14 a component with TLS for a broker without", func(t *testing.T) {
		dir := folder(t, one(comp(pubsub, "pubsub.kafka", "brokers", "x:1", "authType", "password", "saslUsername", "u", "saslPassword", "p")))
		o, _, _ := broker(t, dir, true)
		r := examine(t, o)
		expect(t, r, "broker.tls")
		if err := r.Fixable()[0].Fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o))
	})
	t.Run("14 a component without TLS for a broker with", func(t *testing.T) {
		server := httptest.NewUnstartedServer(nil)
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		defer server.Close()
		o := options(t, folder(t, one(kafkaFile("authType", "none"))))
		o.Foreign = false
		o.Brokers, o.BrokersFrom.Chosen = []string{server.Listener.Addr().String()}, true
		expect(t, examine(t, o), "broker.tls")
	})
	t.Run("14 a component without TLS for a real broker with", func(t *testing.T) {
		c, err := tls.X509KeyPair(serverCert(t))
		if err != nil {
			t.Fatal(err)
		}
		o, _, _ := broker(t, folder(t, one(kafkaFile("authType", "none"))), false, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c}}))
		expect(t, examine(t, o), "broker.tls")
	})
	t.Run("TLS for a broker with TLS is well", func(t *testing.T) {
		c, err := tls.X509KeyPair(serverCert(t))
		if err != nil {
			t.Fatal(err)
		}
		dir := folder(t, one(comp(pubsub, "pubsub.kafka", "brokers", "x:1", "authType", "password", "saslUsername", "u", "saslPassword", "p")))
		o, _, _ := broker(t, dir, false, kfake.TLS(&tls.Config{Certificates: []tls.Certificate{c}}))
		expect(t, examine(t, o, "broker.tls"))
	})
}

func TestTopics(t *testing.T) {
	t.Run("15 missing", func(t *testing.T) {
		o, _, _ := broker(t, "", false, kfake.SeedTopics(3, "task-event"))
		r := examine(t, o)
		expect(t, r, "topics.missing")
		if err := r.Fixable()[0].Fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o))
	})
	t.Run("16 one partition", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		adm := kadm.NewClient(client)
		if _, err := adm.DeleteTopics(t.Context(), "reminders"); err != nil {
			t.Fatal(err)
		}
		if _, err := adm.CreateTopic(t.Context(), 1, 1, nil, "reminders"); err != nil {
			t.Fatal(err)
		}
		r := examine(t, o)
		expect(t, r, "topics.drift")
		if err := r.Fixable()[0].Fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o))
	})
	t.Run("15 all missing", func(t *testing.T) {
		o, _, _ := broker(t, "", false)
		r := examine(t, o)
		expect(t, r, "topics.missing")
		if want := "lacks 5"; !strings.Contains(r.Findings[0].Message, want) {
			t.Errorf("%q lacks %q", r.Findings[0].Message, want)
		}
	})
	t.Run("16 gone too early", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		hour := "3600000"
		if _, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "retention.ms", Value: &hour}}, "task-events"); err != nil {
			t.Fatal(err)
		}
		r := examine(t, o)
		expect(t, r, "topics.drift")
		if err := r.Fixable()[0].Fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o))
	})
	t.Run("16 too many partitions can't be taken away", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		if _, err := kadm.NewClient(client).UpdatePartitions(t.Context(), 8, "task-events"); err != nil {
			t.Fatal(err)
		}
		r := examine(t, o)
		expect(t, r, "topics.drift")
		if len(r.Fixable()) != 0 {
			t.Error("a fix that Kafka doesn't have")
		}
	})
	t.Run("16 a misspelt topic in a subscription", func(t *testing.T) {
		sub := "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata:\n  name: s\nspec:\n  topic: task-evnts\n  pubsubname: pubsub-kafka\n  routes: {default: /x}\n"
		dir := folder(t, map[string]string{"a.yaml": kafkaFile("authType", "none"), "s.yaml": sub})
		o, _, _ := broker(t, dir, true, kfake.BrokerConfigs(map[string]string{"auto.create.topics.enable": "false"}))
		r := examine(t, o)
		expect(t, r, "topics.subscribed")
		if err := r.Fixable()[0].Fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o))
	})
	t.Run("17 more replicas than brokers", func(t *testing.T) {
		o, _, _ := broker(t, "", true, kfake.BrokerConfigs(map[string]string{"offsets.topic.replication.factor": "3"}))
		expect(t, examine(t, o), "topics.replication")
	})
}

func produce(t *testing.T, client *kgo.Client, topic, value string, at time.Time) {
	t.Helper()
	r := &kgo.Record{Topic: topic, Value: []byte(value), Timestamp: at}
	if err := client.ProduceSync(context.WithoutCancel(t.Context()), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	event := func(data any) string {
		text, err := json.Marshal(map[string]any{"specversion": "1.0", "id": "1", "type": "t", "source": "s", "data": data})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	t.Run("well", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		for i := range 5 {
			produce(t, client, "task-events", event(map[string]any{"n": strconv.Itoa(i)}), time.Now())
		}
		produce(t, client, "task-events", "no JSON", time.Now())
		produce(t, client, "task-events-dlq", "old", time.Now().Add(-2*time.Hour))
		expect(t, examine(t, o))
	})
	t.Run("22 wrapped twice", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "task-events", event(json.RawMessage(event("x"))), time.Now())
		expect(t, examine(t, o), "events.wrapped-twice")
	})
	t.Run("18 dead letters", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "reminders-dlq", event("x"), time.Now())
		expect(t, examine(t, o), "events.dead-letters")
	})
	t.Run("37 clock", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "task-events", event("x"), time.Now().Add(time.Minute))
		expect(t, examine(t, o), "events.clock")
	})
	t.Run("37 a clock that is hardly ahead", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "task-events", event("x"), time.Now().Add(time.Second))
		expect(t, examine(t, o))
	})
	t.Run("31 nobody consumes", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "task-events", event("x"), time.Now())
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: "task-events", Partition: 0, At: 0})
		if _, err := kadm.NewClient(client).CommitOffsets(t.Context(), "reminder-worker", offsets); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "events.idle-group")
	})
}

func TestGroups(t *testing.T) {
	consume := func(t *testing.T, o Options, group string) *kgo.Client {
		t.Helper()
		c, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...), kgo.ConsumerGroup(group), kgo.ConsumeTopics("task-events"),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for n := 0; n == 0; {
			fetches := c.PollFetches(ctx)
			if ctx.Err() != nil {
				t.Fatal("nothing is consumed")
			}
			n = fetches.NumRecords()
		}
		if err := c.CommitUncommittedOffsets(ctx); err != nil {
			t.Fatal(err)
		}
		return c
	}
	t.Run("31 the consumer has gone", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "task-events", "1", time.Now())
		c := consume(t, o, "reminder-worker")
		expect(t, examine(t, o))
		c.Close()
		expect(t, examine(t, o))
		produce(t, client, "task-events", "2", time.Now())
		r := examine(t, o)
		expect(t, r, "events.idle-group")
		if want := "groups delete reminder-worker"; !strings.Contains(r.Findings[0].Mend, want) {
			t.Errorf("mend %q lacks %q", r.Findings[0].Mend, want)
		}
	})
	t.Run("31 it reads under another group", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		produce(t, client, "task-events", "1", time.Now())
		consume(t, o, "worker").Close()
		produce(t, client, "task-events", "2", time.Now())
		other := consume(t, o, "worker-2")
		defer other.Close()
		expect(t, examine(t, o), "events.idle-group")
	})
}

// serverCert is the certificate and key of a TLS server of the test's own.
func serverCert(t *testing.T) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}
