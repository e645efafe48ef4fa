//go:build unix

package faults

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/todoctl/todoctl/test/faults/checker"
)

// Whatever the sidecar answers, changes are made, their events wait, the log tells once
// that publishing stopped and once that it goes on, and a metric counts.
func TestSidecarInTrouble(t *testing.T) {
	t.Parallel()
	d := newDrill(t, options{replicas: 1})
	way := d.ownSidecarBehind()
	for _, tr := range []struct {
		name  string
		begin func()
	}{
		{"answers HTTP 500", func() { way.lead(d.answering(http.StatusInternalServerError, "")) }},
		{"answers HTTP 404", func() { way.lead(d.answering(http.StatusNotFound, "")) }},
		{"answers gRPC Internal", func() { way.lead(d.answering(http.StatusOK, "13")) }},
		{"closes connections", func() { way.set(cut, 0) }},
		{"answers nothing", func() { way.set(dead, 0) }},
	} {
		real := way.where()
		d.stopPublishing(tr.name, "outage", tr.begin, func() {
			way.lead(real)
			way.set(fair, 0)
		})
	}
	d.judge()
}

// ownSidecarBehind starts a second serve, on a database of its own, whose sidecar is
// that of the first behind the proxy that it returns. Requests go to it from now on.
func (d *drill) ownSidecarBehind() *proxy {
	d.Helper()
	host := d.replicas[0]
	var text []byte
	var err error
	d.until(20*time.Second, host.name+" has a sidecar", func() bool {
		text, err = os.ReadFile(host.readyFile())
		return err == nil
	})
	var run struct {
		DaprHTTPPort int `json:"dapr_http_port"`
		DaprGRPCPort int `json:"dapr_grpc_port"`
	}
	if err := json.Unmarshal(text, &run); err != nil || run.DaprGRPCPort == 0 {
		d.Fatalf("ready file %s: %v", text, err)
	}
	way := newProxy(d.T, fmt.Sprintf("127.0.0.1:%d", run.DaprGRPCPort))
	_, port, err := net.SplitHostPort(way.addr())
	if err != nil {
		d.Fatal(err)
	}
	dir := filepath.Join(d.dir, "own")
	if err := os.Mkdir(dir, 0o700); err != nil {
		d.Fatal(err)
	}
	d.db = newSQLite(d.T, dir)
	r := newReplica(d.T, d.stack, 1, options{args: []string{
		"--sidecar", "external", "--dapr-http-port", fmt.Sprint(run.DaprHTTPPort), "--dapr-grpc-port", port,
	}})
	d.replicas = append(d.replicas, r)
	d.until(20*time.Second, r.name+" is ready", func() bool { return r.ready(d.ctx) })
	d.send(r)
	return way
}

// answering is the address of a server that answers every call in one way: with an
// HTTP status, and a gRPC one where that is given.
func (d *drill) answering(status int, grpc string) string {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if grpc != "" {
			w.Header().Set("Content-Type", "application/grpc")
			w.Header().Set("Grpc-Status", grpc)
		}
		w.WriteHeader(status)
	}))
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	d.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	if err != nil {
		d.Fatal(err)
	}
	return u.Host
}

// stopPublishing has publishing fail for a while: changes are made all the same.
func (d *drill) stopPublishing(name, kind string, begin, end func()) {
	d.Helper()
	d.well()
	r := d.replicas[len(d.replicas)-1]
	log, failures := d.log(r), fmt.Sprintf("todo_outbox_publish_failures_total{error_type=%q}", kind)
	counted := r.metric(d.ctx, failures)
	begin()
	began := time.Now()
	made := 0
	d.until(30*time.Second, name+": it is noticed", func() bool {
		if a := d.create(); a.outcome != checker.OK {
			d.Errorf("%s: create: %d, want a change", name, a.status)
		}
		made++
		return log.count("publishing stopped, sidecar or broker is away") > 0
	})
	d.raised(r, failures, counted)
	d.Logf("%s: noticed after %.1f s, %d events wait", name, time.Since(began).Seconds(), d.waiting())
	if n := d.waiting(); n == 0 {
		d.Errorf("%s: no event of %d waits", name, made)
	}
	if status, _ := d.status("/readyz"); status != http.StatusOK {
		d.Errorf("%s: /readyz is %d: changes could be taken", name, status)
	}
	end()
	healed := time.Now()
	d.until(30*time.Second, name+": every event is out", func() bool { return d.waiting() == 0 })
	d.Logf("%s: every event is out %.1f s after its end", name, time.Since(healed).Seconds())
	log.once("publishing stopped, sidecar or broker is away")
	d.until(time.Second, "the log tells the end", func() bool { return log.count("publishing goes on") == 1 })
	log.calm()
}

// The disk of the embedded broker is full: events wait in the outbox, and go out when
// there is room again.
func TestBrokerWithoutRoom(t *testing.T) {
	t.Parallel()
	d := newDrill(t, options{replicas: 1, smallBroker: true})
	room := roomOf(d.disk, filepath.Join(d.dir, "broker"), d.broker)
	if room == nil {
		missing(t, "no disk can be filled here")
	}
	d.stopPublishing("full", "outage", func() {
		if err := room.shrink(); err != nil {
			d.Fatal(err)
		}
	}, func() {
		if err := room.grow(); err != nil {
			d.Fatal(err)
		}
	})
	d.judge()
}
