//go:build unix

package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/topics"
	apache "github.com/todoctl/todoctl/test/kafka"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"todoctl": main})
}

// Every user-visible behaviour has a script that runs the real program; where it
// needs a broker or a sidecar they are real too.
func TestScripts(t *testing.T) {
	daprd := findDaprd(t)
	if _, err := exec.LookPath("kcat"); err != nil && os.Getenv("CI") != "" {
		t.Fatal("kcat is not installed")
	}
	params := scriptParams(daprd, nil)
	params.Dir = "testdata/script"
	testscript.Run(t, params)
}

// scriptParams are those of scripts whose command broker gives out the shared node of
// Apache Kafka or, without one, an in-process broker.
func scriptParams(daprd string, shared *apache.Cluster) testscript.Params {
	testdata, err := filepath.Abs("testdata")
	if err != nil {
		panic(err) // there is no working folder
	}
	return testscript.Params{
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values["t"] = env.T()
			env.Values["testdata"] = testdata
			env.Values["members"] = make(map[string]*kgo.Client) // of consume, by group
			env.Values["cluster"] = new(*kfake.Cluster)
			env.Values["streams"] = make(map[string]*scriptStream)
			env.Values["kafka"] = shared
			env.Values["nodes"] = new(*apache.Cluster)
			env.Setenv("GORACE", "atexit_sleep_ms=0") // else the race detector adds a second to every command
			env.Setenv("TODOCTL_DAPRD", daprd)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("BIN", strings.Split(env.Getenv("PATH"), string(os.PathListSeparator))[0])
			return freePorts(filepath.Join(env.WorkDir, "todoctl.yaml"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"waitfile":  waitFile,
			"addresses": addresses,
			"broker":    broker,
			"devbroker": devBroker,
			"kfake":     startKfake,
			"recreate":  recreate,
			"squat":     squat,
			"freeaddr":  freeAddr,
			"gone":      gone,
			"until":     until,
			"http":      request,
			"postgres":  postgres,
			"park":      park,
			"records":   records,
			"consume":   consume,
			"leave":     leave,
			"decline":   decline,
			"unwell":    unwell,
			"reads":     reads,
			"soon":      soon,
			"shows":     shows,

			"topic":       makeTopic,
			"oddrecords":  oddRecords,
			"samerecords": sameRecords,
			"sameorder":   sameOrder,
			"listen":      openStream,
			"heard":       heard,
			"hangup":      hangUp,

			"certificates": makeCertificates,
			"secured":      startSecured,
			"loginvars":    loginVariables,

			"nodes":     startNodes,
			"kill9":     killNode,
			"restart":   restartNode,
			"compacted": compacted,
			"cut":       cut,

			"fakedocker": fakeDocker,
		},
	}
}

// freePorts writes settings under which scripts run side by side.
func freePorts(path string) error {
	return os.WriteFile(path, []byte(`api-addr: 127.0.0.1:0
broker-addr: 127.0.0.1:0
dapr-http-port: 0
dapr-grpc-port: 0
worker-addr: 127.0.0.1:0
worker-dapr-http-port: 0
worker-dapr-grpc-port: 0
`), 0o600)
}

// findDaprd is the sidecar that the tests run: `make test` names the one it built.
func findDaprd(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TODOCTL_DAPRD")
	if path == "" {
		path = "../../bin/daprd"
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abs); err != nil {
		missing(t, "no sidecar: run `make daprd`, or set TODOCTL_DAPRD")
	}
	return abs
}

func needKcat(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("kcat"); err != nil {
		missing(t, "kcat, which reads the events back, is not installed")
	}
}

// missing skips a test for want of a program; in CI that is a failure.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// patience bounds every wait of a script.
const patience = time.Minute

// poll tries until the condition holds.
func poll(ts *testscript.TestScript, what string, holds func() bool) {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			ts.Fatalf("waited %s for %s", patience, what)
		}
	}
}

// waitfile FILE: until the file is there.
func waitFile(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	poll(ts, args[0], func() bool { _, err := os.Stat(path); return err == nil })
}

// soon VAR DURATION: sets VAR to the time that is so far ahead.
func soon(ts *testscript.TestScript, _ bool, args []string) {
	ahead, err := time.ParseDuration(args[1])
	ts.Check(err)
	ts.Setenv(args[0], time.Now().Add(ahead).UTC().Format(time.RFC3339Nano))
}

// addresses [FILE]: sets API, BROKER, DAPR_PORT, GRPC_PORT, SIDECAR_PID, DEV_PID, WORKER
// and WORKER_SIDECAR_PID from run.json or a ready file.
func addresses(ts *testscript.TestScript, _ bool, args []string) {
	file := ".todoctl/run.json"
	if len(args) > 0 {
		file = args[0]
	}
	var run struct {
		API     string   `json:"api_addr"`
		Brokers []string `json:"brokers"`
		HTTP    int      `json:"dapr_http_port"`
		GRPC    int      `json:"dapr_grpc_port"`
		Sidecar int      `json:"sidecar_pid"`
		PID     int      `json:"pid"`
		Worker  string   `json:"worker_addr"`
		Beside  int      `json:"worker_sidecar_pid"`
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(file)), &run))
	ts.Setenv("API", "http://"+run.API)
	ts.Setenv("BROKER", strings.Join(run.Brokers, ","))
	ts.Setenv("DAPR_PORT", strconv.Itoa(run.HTTP))
	ts.Setenv("GRPC_PORT", strconv.Itoa(run.GRPC))
	ts.Setenv("SIDECAR_PID", strconv.Itoa(run.Sidecar))
	ts.Setenv("WORKER", "http://"+run.Worker)
	ts.Setenv("WORKER_SIDECAR_PID", strconv.Itoa(run.Beside))
	ts.Setenv("DEV_PID", strconv.Itoa(run.PID))
}

// broker: sets BROKER to an empty broker and CLUSTER to its cluster's id. Scripts with
// this command run on both: an in-process broker of their own, and Apache Kafka.
func broker(ts *testscript.TestScript, _ bool, _ []string) {
	shared := ts.Value("kafka").(*apache.Cluster)
	if shared == nil {
		startKfake(ts, false, nil)
		return
	}
	ts.Check(shared.Clear(context.Background()))
	ts.Setenv("BROKER", shared.Brokers()[0])
	ts.Setenv("CLUSTER", apache.ID)
}

// devbroker: says which broker the dev that follows has, and sets CLUSTER to its
// cluster's id: its own, embedded, or Apache Kafka, empty. Scripts with this command run
// on both, as with broker.
func devBroker(ts *testscript.TestScript, _ bool, _ []string) {
	if ts.Value("kafka").(*apache.Cluster) == nil {
		ts.Setenv("CLUSTER", "kfake")
		return
	}
	broker(ts, false, nil)
	ts.Setenv("TODOCTL_BROKERS", ts.Getenv("BROKER"))
}

// kfake [N]: starts N empty brokers, or one, in this process, which decline and unwell
// can have fail, and sets BROKER to the first.
func startKfake(ts *testscript.TestScript, _ bool, args []string) {
	n := 1
	if len(args) > 0 {
		var err error
		n, err = strconv.Atoi(args[0])
		ts.Check(err)
	}
	cluster, err := kfake.NewCluster(kfake.NumBrokers(n))
	ts.Check(err)
	*ts.Value("cluster").(**kfake.Cluster) = cluster
	ts.Defer(cluster.Close)
	ts.Setenv("BROKER", cluster.ListenAddrs()[0])
	ts.Setenv("CLUSTER", "kfake")
}

// recreate TOPIC PARTITIONS: makes the topic anew on BROKER, with other partitions.
func recreate(ts *testscript.TestScript, _ bool, args []string) {
	partitions, err := strconv.ParseInt(args[1], 10, 32)
	ts.Check(err)
	client, err := kafka.NewClient(kafka.Options{Brokers: []string{ts.Getenv("BROKER")}})
	ts.Check(err)
	defer client.Close()
	admin, ctx := kadm.NewClient(client), context.Background()
	_, err = topics.Delete(ctx, client, []string{args[0]})
	ts.Check(err)
	_, err = admin.CreateTopic(ctx, int32(partitions), 1, nil, args[0])
	ts.Check(err)
}

// freeaddr VAR: sets VAR to an address that is free.
func freeAddr(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Setenv(args[0], l.Addr().String())
	ts.Check(l.Close())
}

// squat VAR: takes a port and sets VAR to its address.
func squat(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// gone PID: until no process has that id.
func gone(ts *testscript.TestScript, _ bool, args []string) {
	pid, err := strconv.Atoi(args[0])
	ts.Check(err)
	poll(ts, "the end of process "+args[0], func() bool { return syscall.Kill(pid, 0) != nil })
}

// until PATTERN COMMAND ARG...: runs the command again and again until its output
// has the text.
func until(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, args[0]+" from "+strings.Join(args[1:], " "), func() bool {
		_ = ts.Exec(args[1], args[2:]...)
		return strings.Contains(ts.ReadFile("stdout"), args[0])
	})
}

// shows URL TEXT: until a page has the text.
func shows(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, args[1]+" at "+args[0], func() bool {
		resp, err := http.Get(args[0])
		ts.Check(err)
		defer resp.Body.Close()
		page, err := io.ReadAll(resp.Body)
		ts.Check(err)
		return strings.Contains(string(page), args[1])
	})
}

// http METHOD URL [BODY]: what curl would do; the answer's body goes to stdout.
func request(ts *testscript.TestScript, _ bool, args []string) {
	body := strings.NewReader(strings.Join(args[2:], ""))
	req, err := http.NewRequestWithContext(context.Background(), args[0], args[1], body)
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}
