//go:build unix

package stack

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	components "github.com/todoctl/todoctl/dapr-components"
)

// startTestBroker runs an embedded broker in memory, with the topic task-events.
func startTestBroker(t *testing.T) string {
	t.Helper()
	ln, _, err := Listen(t.Context(), "127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := StartBroker(t.Context(), BrokerOptions{Listener: ln, Log: new(logBuffer).logger()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	createTopic(t, b.Addr(), "task-events")
	return b.Addr()
}

// writeResources writes the default resources for a broker, and others.
func writeResources(t *testing.T, broker string, more ...fs.FS) string {
	t.Helper()
	dir := t.TempDir()
	_, err := WriteResources(ResourceOptions{
		Sources: append([]fs.FS{components.Files}, more...), Dir: dir, Brokers: []string{broker},
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts a sidecar and stops it when the test ends.
func start(t *testing.T, opts SidecarOptions) (*Sidecar, *logBuffer) {
	t.Helper()
	logs := fill(t, &opts)
	s, err := StartSidecar(t.Context(), opts)
	if err != nil {
		t.Fatalf("%v\n%s", err, logs)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s, logs
}

func fill(t *testing.T, opts *SidecarOptions) *logBuffer {
	t.Helper()
	logs := new(logBuffer)
	opts.Daprd, opts.AppID, opts.Log, opts.Env = daprd(t), "todo-test", logs.logger(), os.Environ()
	opts.AppCommand = "todoctl dev"
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	return logs
}

func publish(t *testing.T, s *Sidecar, body string) {
	t.Helper()
	url := fmt.Sprintf("http://%s/v1.0/publish/pubsub-kafka/task-events", s.API().Addr)
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		answer, _ := io.ReadAll(resp.Body)
		t.Fatalf("publish: %s %s", resp.Status, answer)
	}
}

func TestSidecarRunsPublishesAndStops(t *testing.T) {
	broker := startTestBroker(t)
	began := time.Now()
	s, logs := start(t, SidecarOptions{ResourcesPath: []string{writeResources(t, broker)}})
	t.Logf("ready in %s", time.Since(began).Round(time.Millisecond))

	m, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := CheckPubsub(m, "pubsub-kafka"); err != nil {
		t.Error(err)
	}
	self := strconv.Itoa(os.Getpid())
	for key, want := range map[string]string{"appPID": self, "cliPID": self, "appCommand": "todoctl dev"} {
		if got := m.Extended[key]; got != want {
			t.Errorf("metadata %s = %q, want %q", key, got, want)
		}
	}
	if slices.Contains(m.Features, "HotReload") {
		t.Error("hot reload is on")
	}
	publish(t, s, `{"n":1}`)
	if text := logs.String(); !strings.Contains(text, "scope=dapr.runtime") || strings.Contains(text, "app_id") {
		t.Errorf("log lines aren't taken apart:\n%s", text)
	}

	pid := s.PID()
	began = time.Now()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	took := time.Since(began)
	t.Logf("stopped in %s", took.Round(time.Millisecond))
	if took > 2*time.Second {
		t.Errorf("an idle sidecar took %s to stop", took)
	}
	if !gone(pid) {
		t.Errorf("pid %d is still there", pid)
	}
	if s.Err() != nil {
		t.Errorf("Err after a clean stop: %v", s.Err())
	}
	if _, err := os.Stat(s.opts.pidPath()); err == nil {
		t.Error("the pid file is still there")
	}
}

func TestSidecarListensOnLoopbackOnly(t *testing.T) {
	s, _ := start(t, SidecarOptions{})
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			t.Skip("no /proc/net")
		}
		sockets := socketsOf(t, s.PID())
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && sockets["socket:["+f[9]+"]"] && !strings.HasPrefix(f[1], "0100007F:") {
				t.Errorf("%s: the sidecar has a socket on %s", table, f[1])
			}
		}
	}
}

func socketsOf(t *testing.T, pid int) map[string]bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(links) == 0 {
		t.Fatalf("no files of pid %d: %v", pid, err)
	}
	sockets := map[string]bool{}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil {
			sockets[target] = true
		}
	}
	return sockets
}

const subscription = `apiVersion: dapr.io/v2alpha1
kind: Subscription
metadata:
  name: task-events
spec:
  pubsubname: pubsub-kafka
  topic: task-events
  routes:
    default: /events
`

// With an app: declared subscriptions work although the app has none of Dapr's
// init endpoints, the app token arrives, and leaving the consumer group doesn't
// hold up the stop.
func TestSidecarDeliversToApp(t *testing.T) {
	events := make(chan string, 10)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/livez":
		case "/events":
			body, _ := io.ReadAll(r.Body)
			events <- r.Header.Get("dapr-api-token") + " " + string(body)
			fmt.Fprint(w, `{"status":"SUCCESS"}`)
		default:
			t.Errorf("the sidecar called %s", r.URL.Path)
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer app.Close()
	broker := startTestBroker(t)
	more := fstest.MapFS{"subscription.yaml": {Data: []byte(subscription)}}
	s, _ := start(t, SidecarOptions{
		AppPort:       app.Listener.Addr().(*net.TCPAddr).Port,
		AppAPIToken:   "app-token",
		ResourcesPath: []string{writeResources(t, broker, more)},
	})
	publish(t, s, `{"n":7}`)
	select {
	case got := <-events:
		if !strings.HasPrefix(got, "app-token ") || !strings.Contains(got, `"data":{"n":7}`) {
			t.Errorf("delivered %q", got)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("not delivered within 20 s")
	}
	began := time.Now()
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	t.Logf("stopped in %s", time.Since(began).Round(time.Millisecond))
}

func TestSidecarIsRestarted(t *testing.T) {
	broker := startTestBroker(t)
	s, logs := start(t, SidecarOptions{ResourcesPath: []string{writeResources(t, broker)}})
	publish(t, s, `{"n":1}`)
	first := s.PID()
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sidecar is back", func() bool { return strings.Contains(logs.String(), "sidecar is back") })
	if s.PID() == first {
		t.Error("the pid is the same")
	}
	publish(t, s, `{"n":2}`)
	m, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if m.Extended["cliPID"] == "" {
		t.Error("the new sidecar wasn't told who runs it")
	}
	if text := logs.String(); !strings.Contains(text, "sidecar died") || !strings.Contains(text, "signal: killed") {
		t.Errorf("the death isn't logged:\n%s", text)
	}
}

func TestSidecarDiesWithParent(t *testing.T) {
	cmd, state := startChild(t, "sidecar", t.TempDir())
	t.Cleanup(func() {
		if t.Failed() {
			_ = syscall.Kill(state.PID, syscall.SIGKILL)
		}
	})
	if gone(state.PID) {
		t.Fatal("the sidecar isn't there to begin with")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the sidecar is gone", func() bool { return gone(state.PID) })
}

func TestSidecarTakenPortIsNamed(t *testing.T) {
	port := squat(t)
	opts := SidecarOptions{GRPCPort: port}
	fill(t, &opts)
	_, err := StartSidecar(t.Context(), opts)
	wantError(t, err, "--dapr-grpc-port", localAddr(port), fmt.Sprintf("(pid %d)", os.Getpid()), "stack.test")
}

func TestSidecarSamePortTwice(t *testing.T) {
	var port int
	if err := fillPorts(t.Context(), &port); err != nil {
		t.Fatal(err)
	}
	opts := SidecarOptions{HTTPPort: port, MetricsPort: port}
	fill(t, &opts)
	_, err := StartSidecar(t.Context(), opts)
	wantError(t, err, "--dapr-http-port and --metrics-port are the same")
}

// The user's own configuration goes on top of ours.
func TestSidecarConfigFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	writeTestFile(t, file, strings.Replace(sidecarConfig, "enabled: false", "enabled: true", 1), 0o600)
	s, _ := start(t, SidecarOptions{ConfigFile: file})
	m, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Features, "HotReload") {
		t.Errorf("features %q lack HotReload", m.Features)
	}
}

// daprd takes its folders and files as lists: a comma or quote in a path is part of it.
func TestSidecarPathsWithCommas(t *testing.T) {
	resources := filepath.Join(t.TempDir(), "a, \"b\"")
	if err := os.CopyFS(resources, os.DirFS(writeResources(t, startTestBroker(t)))); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data,of \"mine\"")
	file := filepath.Join(t.TempDir(), "own,config.yaml")
	writeTestFile(t, file, strings.Replace(sidecarConfig, "enabled: false", "enabled: true", 1), 0o600)
	s, _ := start(t, SidecarOptions{Dir: dir, ConfigFile: file, ResourcesPath: []string{resources}})
	m, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Features, "HotReload") || CheckPubsub(m, "pubsub-kafka") != nil {
		t.Errorf("features %q, components %v", m.Features, m.Components)
	}
	opts := SidecarOptions{Dir: dir}
	fill(t, &opts)
	_, err = StartSidecar(t.Context(), opts)
	wantError(t, err, "already runs in") // it is recognized by the path
}

// The state store in a file loads beside the default resources, and keeps its file
// in the sidecar's folder.
func TestSidecarLoadsSQLiteStateStore(t *testing.T) {
	sqlite, err := fs.Sub(components.Files, "alternatives/statestore-sqlite")
	if err != nil {
		t.Fatal(err)
	}
	broker := startTestBroker(t)
	s, _ := start(t, SidecarOptions{ResourcesPath: []string{writeResources(t, broker, sqlite)}})
	m, err := s.Metadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(m.Components, Component{Name: "statestore", Type: "state.sqlite", Version: "v1"}) {
		t.Errorf("components %v lack the state store", m.Components)
	}
	if _, err := os.Stat(filepath.Join(s.opts.Dir, "statestore.db")); err != nil {
		t.Error(err)
	}
}

func TestSidecarTokens(t *testing.T) {
	s, _ := start(t, SidecarOptions{APIToken: "secret"})
	if _, err := s.Metadata(t.Context()); err != nil {
		t.Error(err)
	}
	api, m, err := Attach(t.Context(), AttachOptions{HTTPPort: s.HTTPPort(), APIToken: "secret"})
	if err != nil || m.AppID != "todo-test" || api.Addr != s.API().Addr {
		t.Errorf("Attach = %v, %v, %v", api, m.AppID, err)
	}
	_, _, err = Attach(t.Context(), AttachOptions{HTTPPort: s.HTTPPort(), APIToken: "wrong"})
	wantError(t, err, "refuses the API token", "DAPR_API_TOKEN")
}

func TestAttachNobody(t *testing.T) {
	var port int
	if err := fillPorts(t.Context(), &port); err != nil {
		t.Fatal(err)
	}
	_, _, err := Attach(t.Context(), AttachOptions{HTTPPort: port, Wait: 150 * time.Millisecond})
	wantError(t, err, localAddr(port), "dapr run", "connection refused")
}

// A stop that is cut short kills, and says so.
func TestSidecarStopByForce(t *testing.T) {
	s, _ := start(t, SidecarOptions{})
	pid := s.PID()
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil { // it can't answer SIGTERM
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, s.Stop(ctx), "killed")
	if !gone(pid) {
		t.Errorf("pid %d is still there", pid)
	}
}
