//go:build linux

package doctor

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/todoctl/todoctl/internal/stack"
)

// What the machine lacks is named, and nothing else; that nothing runs is then its
// consequence.
func TestEnvironment(t *testing.T) {
	t.Run("nothing runs", func(t *testing.T) {
		expect(t, examine(t, options(t, "")), "environment.running")
	})
	t.Run("nothing runs for somebody else's files", func(t *testing.T) {
		dir := folder(t, one(kafkaFile("authType", "none")))
		expect(t, examine(t, options(t, dir)))
	})
	t.Run("the task API has ended", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.APIURL.Chosen = true
		expect(t, examine(t, o), "environment.api")
	})
	t.Run("the task API hangs", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.APIURL = Setting{Value: "http://" + silent(t), Chosen: true}
		expect(t, examine(t, o), "environment.api")
	})
	t.Run("the todoctl of the API and the broker hangs", func(t *testing.T) {
		o := options(t, "")
		migrated(t, o.Database.Value)
		run := stack.Run{APIAddr: silent(t), Brokers: []string{silent(t)}}
		if err := stack.WriteRun(o.DataDir, run); err != nil {
			t.Fatal(err)
		}
		o.APIURL.Value, o.Brokers = "http://"+run.APIAddr, run.Brokers
		r := examine(t, o)
		expect(t, r, "environment.api")
		if want := fmt.Sprintf("kill %d,", os.Getpid()); !strings.HasPrefix(r.Findings[0].Mend, want) {
			t.Errorf("mend %q, want %q", r.Findings[0].Mend, want)
		}
	})
	t.Run("24 a port is taken", func(t *testing.T) {
		o := options(t, "")
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		_, o.DaprHTTP.Value, _ = net.SplitHostPort(server.Listener.Addr().String())
		r := examine(t, o)
		expect(t, r, "environment.ports")
		if want := fmt.Sprintf("(pid %d)", os.Getpid()); !strings.Contains(r.Findings[0].Message, want) {
			t.Errorf("the holder isn't named: %s", r.Findings[0].Message)
		}
	})
	t.Run("29 DAPR_ENABLED", func(t *testing.T) {
		o := options(t, "")
		o.DaprEnabled = Setting{Value: "false", Source: "DAPR_ENABLED"}
		expect(t, examine(t, o), "environment.dapr-enabled", "environment.running")
	})
	t.Run("29 DAPR_ENABLED alone", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.DaprEnabled = Setting{Value: "false", Source: "DAPR_ENABLED"}
		r := examine(t, o)
		expect(t, r, "environment.dapr-enabled")
		if want := "export DAPR_ENABLED=true"; !strings.Contains(r.Findings[0].Mend, want) {
			t.Errorf("mend %q lacks %q", r.Findings[0].Mend, want)
		}
	})
	t.Run("39 asynchronous I/O is used up", func(t *testing.T) {
		o := options(t, "")
		o.Proc = folder(t, map[string]string{"sys/fs/aio-max-nr": "65536\n", "sys/fs/aio-nr": "65000\n"})
		o.ComposeFile = filepath.Join("..", "..", "docker-compose.yml")
		expect(t, examine(t, o), "environment.aio")
	})
	t.Run("asynchronous I/O that is enough", func(t *testing.T) {
		o := options(t, "")
		o.Proc = folder(t, map[string]string{"sys/fs/aio-max-nr": "1048576\n", "sys/fs/aio-nr": "65000\n"})
		o.ComposeFile = filepath.Join("..", "..", "docker-compose.yml")
		expect(t, examine(t, o), "environment.running")
	})
	t.Run("40 disk", func(t *testing.T) {
		o := options(t, "")
		o.MinFree = 1 << 62
		o.DataDir = filepath.Join(o.DataDir, "not", "there", "yet")
		expect(t, examine(t, o), "environment.disk")
	})
	t.Run("41 no daprd", func(t *testing.T) {
		o := options(t, "")
		o.FindDaprd = func() (string, error) { return "", stack.ErrNoDaprd }
		expect(t, examine(t, o), "environment.daprd")
	})
	t.Run("41 a daprd that can't be run", func(t *testing.T) {
		o := options(t, "")
		dir := folder(t, map[string]string{"daprd": "#!/bin/sh\nexit 7\n"})
		if err := os.Chmod(filepath.Join(dir, "daprd"), 0o700); err != nil {
			t.Fatal(err)
		}
		o.FindDaprd = func() (string, error) { return filepath.Join(dir, "daprd"), nil }
		expect(t, examine(t, o), "environment.daprd")
	})
	t.Run("the stack has died", func(t *testing.T) {
		o := options(t, "")
		gone := exec.Command("true")
		if err := gone.Run(); err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf(`{"kind":"run","version":1,"pid":%d,"process_start":"1","api_addr":"127.0.0.1:1"}`, gone.Process.Pid)
		if err := os.WriteFile(filepath.Join(o.DataDir, "run.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r := examine(t, o)
		expect(t, r, "environment.running")
		if !strings.Contains(r.Findings[0].Message, "has died") {
			t.Error(r.Findings[0].Message)
		}
		o.APIURL.Chosen, o.BrokersFrom.Chosen, o.DaprHTTP.Chosen = true, true, true // as it was started with
		expect(t, examine(t, o), "environment.running")
	})
}

// A docker of the test's own stands in for the program, which is asked for real.
func TestDocker(t *testing.T) {
	tests := map[string]struct {
		script string
		want   []string
		says   string
	}{
		"is down":       {`echo "Cannot connect to the Docker daemon" >&2; exit 1`, []string{"environment.docker"}, "Cannot connect to the Docker daemon"},
		"is denied":     {`echo "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock" >&2; exit 1`, []string{"environment.docker"}, "may not speak to the Docker daemon"},
		"has no plugin": {`[ "$1" = version ] && exit 0; exit 1`, []string{"environment.docker"}, "no compose plugin"},
		"unhealthy": {
			`[ "$4" = ps ] || exit 0
echo '{"Service":"redpanda","State":"running","Health":"unhealthy","ExitCode":0}'
echo '{"Service":"postgres","State":"running","Health":"healthy","ExitCode":0}'`, []string{"environment.docker"}, "redpanda is unhealthy",
		},
		"is well and empty": {`exit 0`, []string{"environment.running"}, "Nothing runs here"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(folder(t, map[string]string{"docker": "#!/bin/sh\n" + tt.script + "\n"}), "docker")
			if err := os.Chmod(path, 0o700); err != nil {
				t.Fatal(err)
			}
			o := options(t, "")
			o.ComposeFile = "docker-compose.yml"
			o.PathLookup = func(string) (string, error) { return path, nil }
			r := examine(t, o)
			expect(t, r, tt.want...)
			if !strings.Contains(r.Findings[0].Message, tt.says) {
				t.Errorf("%q lacks %q", r.Findings[0].Message, tt.says)
			}
		})
	}
}

// What other machines may reach is told, unless a token keeps them out.
func TestExposedSidecar(t *testing.T) {
	o, _ := sidecar(t, one(kafkaFile("authType", "none")), 0, "--dapr-listen-addresses", "0.0.0.0")
	expect(t, examine(t, o), "sidecar.exposed")
	o.APIToken = "secret"
	expect(t, examine(t, o))
}
