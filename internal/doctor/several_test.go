package doctor

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// because is the check that explains why another has no result, "" for none.
func because(r Report, check string) string {
	i := slices.IndexFunc(r.NotChecked, func(n NotChecked) bool { return n.Check == check })
	if i < 0 {
		return ""
	}
	return r.NotChecked[i].Because
}

// Several faults at once are that many findings: each cause, and what follows from one
// is not checked because of it.
func TestSeveral(t *testing.T) {
	t.Run("a file that ends daprd and a database that is down", func(t *testing.T) {
		o, s := sidecar(t, one(kafkaFile("authType", "none")), 0)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		bad := strings.Replace(kafkaFile("authType", "none", "initialOffset", "earliest"), "BROKER", o.Brokers[0], 1)
		if err := os.WriteFile(filepath.Join(o.Sources[0].Dir, "a.yaml"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		o.Database = Setting{Value: "postgres://todo:todo@127.0.0.1:1/todo", Chosen: true}
		r := examine(t, o)
		expect(t, r, "files.initial-offset", "database.open")
		if got := because(r, "sidecar.reach"); got != "files.initial-offset" {
			t.Errorf("sidecar.reach because of %q", got)
		}
		if got := because(r, "events.outbox"); got != "database.open" {
			t.Errorf("events.outbox because of %q", got)
		}
	})
	t.Run("a broker that is down and a full disk", func(t *testing.T) {
		o := options(t, "")
		o.BrokersFrom, o.MinFree = Setting{Source: "--brokers", Chosen: true}, 1<<62
		r := examine(t, o)
		expect(t, r, "broker.reach", "environment.disk")
		for _, check := range []string{"broker.advertised", "topics.missing", "events.clock"} {
			if got := because(r, check); got != "broker.reach" {
				t.Errorf("%s because of %q", check, got)
			}
		}
	})
	t.Run("a topic that is missing and dead letters of another", func(t *testing.T) {
		o, _, client := broker(t, "", true)
		publish(t, o, "reminders-dlq")
		if _, err := kadm.NewClient(client).DeleteTopics(t.Context(), "task-updates"); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "topics.missing", "events.dead-letters")
	})
	t.Run("a sidecar that has ended and a topic that is missing", func(t *testing.T) {
		o, s := sidecar(t, one(kafkaFile("authType", "none")), 0)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		client, err := kgo.NewClient(kgo.SeedBrokers(o.Brokers...))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		if _, err := kadm.NewClient(client).DeleteTopics(t.Context(), "task-updates"); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "topics.missing", "sidecar.reach")
	})
	t.Run("the database and the API that stands on it", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.APIURL.Chosen = true
		o.Database = Setting{Value: "postgres://todo:todo@127.0.0.1:1/todo", Chosen: true}
		r := examine(t, o)
		expect(t, r, "database.open")
		if got := because(r, "environment.api"); got != "database.open" {
			t.Errorf("environment.api because of %q", got)
		}
	})
}

// A broker that dies while it is examined is a broker that is down, or not noticed;
// nothing is said of topics and groups that couldn't be read.
func TestBrokerDiesMeanwhile(t *testing.T) {
	for _, key := range []kmsg.Key{kmsg.Metadata, kmsg.DescribeConfigs, kmsg.ListGroups, kmsg.Fetch} {
		t.Run(key.Name(), func(t *testing.T) {
			o, c, client := broker(t, "", true)
			produce(t, client, "task-events", `{"specversion":"1.0"}`, time.Now())
			dies := make(chan struct{})
			var once sync.Once
			c.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
				once.Do(func() { close(dies) })
				return nil, nil, false
			})
			done := make(chan struct{})
			go func() {
				defer close(done)
				<-dies
				c.Close()
			}()
			r := examine(t, o)
			once.Do(func() { t.Errorf("no request of %s", key.Name()); close(dies) })
			<-done
			for _, f := range r.Findings {
				if f.Group != "broker" {
					t.Errorf("%s: %s", f.Check, f.Message)
				}
			}
			if r.Took > 15 {
				t.Errorf("took %.1f s", r.Took)
			}
		})
	}
}
