package doctor

import (
	"bufio"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/todoctl/todoctl/internal/stack"
)

// sidecar runs a real daprd with the folder beside a real broker.
func sidecar(t *testing.T, files map[string]string, appPort int, extra ...string) (Options, *stack.Sidecar) {
	t.Helper()
	o, c, _ := broker(t, "", true, kfake.BrokerConfigs(map[string]string{"auto.create.topics.enable": "false"}))
	for name, content := range files {
		files[name] = strings.ReplaceAll(content, "BROKER\"", c.ListenAddrs()[0]+`"`)
	}
	dir := folder(t, files)
	o.Sources = []Source{{Dir: dir, FS: os.DirFS(dir)}}
	s, err := stack.StartSidecar(t.Context(), stack.SidecarOptions{
		Daprd: daprd(t), AppID: "todo-backend", Dir: t.TempDir(), ResourcesPath: []string{dir}, AppPort: appPort,
		ExtraArgs: extra, Env: os.Environ(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Stop(t.Context()) })
	o.DaprHTTP = Setting{Value: strconv.Itoa(s.HTTPPort()), Source: "--dapr-http-port", Chosen: true}
	return o, s
}

func TestSidecar(t *testing.T) {
	well := kafkaFile("authType", "none")
	t.Run("well", func(t *testing.T) {
		o, _ := sidecar(t, one(well), 0)
		expect(t, examine(t, o))
	})
	t.Run("it has ended", func(t *testing.T) {
		o, s := sidecar(t, one(well), 0)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "sidecar.reach")
	})
	t.Run("1 the files are why it has ended", func(t *testing.T) {
		o, s := sidecar(t, one(well), 0)
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		bad := strings.Replace(kafkaFile("authType", "none", "initialOffset", "earliest"), "BROKER", o.Brokers[0], 1)
		if err := os.WriteFile(filepath.Join(o.Sources[0].Dir, "a.yaml"), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "files.initial-offset")
	})
	t.Run("7 a component that isn't loaded", func(t *testing.T) {
		o, _ := sidecar(t, one(well), 0)
		if err := os.WriteFile(filepath.Join(o.Sources[0].Dir, "b.yaml"), []byte(comp("late", "state.in-memory")), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "sidecar.component")
	})
	t.Run("somebody else's sidecar", func(t *testing.T) {
		o, _ := sidecar(t, one(well), 0)
		dir := folder(t, map[string]string{"a.yaml": comp("pubsub", "pubsub.in-memory"), "b.yaml": comp("statestore", "state.in-memory")})
		o.Sources, o.Foreign, o.DaprHTTP.Chosen = []Source{{Dir: dir, FS: os.DirFS(dir)}}, true, false
		expect(t, examine(t, o))
	})
	t.Run("7 somebody else's files and their sidecar", func(t *testing.T) {
		o, _ := sidecar(t, one(well), 0)
		o.Foreign, o.DaprHTTP.Chosen = true, false
		if err := os.WriteFile(filepath.Join(o.Sources[0].Dir, "b.yaml"), []byte(comp("late", "state.in-memory")), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "sidecar.component")
	})
	t.Run("8 another name", func(t *testing.T) {
		o, _ := sidecar(t, one(well), 0)
		o.Pubsub = Setting{Value: "kafka-pubsub", Source: "--pubsub", Chosen: true}
		o.Sources = nil // as of a sidecar whose files are elsewhere
		r := examine(t, o)
		expect(t, r, "sidecar.pubsub")
		if !strings.Contains(r.Findings[0].Mend, "--pubsub pubsub-kafka") {
			t.Errorf("mend: %s", r.Findings[0].Mend)
		}
	})
	t.Run("10 a subscription to nowhere", func(t *testing.T) {
		app, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		serve(t, app, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		o, s := sidecar(t, map[string]string{"a.yaml": well, "s.yaml": strings.Replace(subscribed, "PUBSUB", "nowhere", 1)}, app.Addr().(*net.TCPAddr).Port)
		o.Sources = nil
		m, err := s.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(m.Subscriptions) == 0 {
			t.Fatal("daprd doesn't list the subscription")
		}
		expect(t, examine(t, o), "sidecar.subscription")
	})
	t.Run("23 nobody on the app port", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := ln.Addr().(*net.TCPAddr).Port
		ln.Close()
		o, _ := sidecar(t, one(well), port)
		expect(t, examine(t, o), "sidecar.health")
	})
}

// serve answers every connection with a text, until the test ends.
func serve(t *testing.T, ln net.Listener, answer string) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = bufio.NewReader(conn).ReadString('\n')
			_, _ = conn.Write([]byte(answer))
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
}
