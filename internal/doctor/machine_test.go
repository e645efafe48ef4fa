//go:build linux

package doctor

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// programs puts shell scripts into a folder and returns what finds them by name.
func programs(t *testing.T, scripts map[string]string) func(string) (string, error) {
	t.Helper()
	files := map[string]string{}
	for name, script := range scripts {
		files[name] = "#!/bin/sh\n" + script + "\n"
	}
	dir := folder(t, files)
	for name := range scripts {
		if err := os.Chmod(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return func(name string) (string, error) {
		if _, ok := scripts[name]; !ok {
			return "", exec.ErrNotFound
		}
		return filepath.Join(dir, name), nil
	}
}

// taken is a port that a program of the test holds.
func taken(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// A container whose port another program holds was made and doesn't run.
func TestComposePorts(t *testing.T) {
	created := `[ "$4" = ps ] || exit 0
echo '{"Service":"redpanda","State":"running","Health":"starting","ExitCode":0}'
echo '{"Service":"SERVICE","State":"created","Health":"","ExitCode":0}'`
	file := "services:\n  redpanda: {ports: ['127.0.0.1:19092:19092']}\n  %s:\n    ports:\n      - %s\n"
	for name, tt := range map[string]struct{ service, ports string }{
		"26 Redis":         {"redis", `"127.0.0.1:PORT:6379"`},
		"28 the dashboard": {"console", `{target: 8080, published: "PORT", host_ip: 127.0.0.1}`},
	} {
		t.Run(name, func(t *testing.T) {
			port := taken(t)
			o := options(t, "")
			o.PathLookup = programs(t, map[string]string{"docker": strings.Replace(created, "SERVICE", tt.service, 1)})
			o.ComposeFile = filepath.Join(folder(t, one(fmt.Sprintf(file, tt.service, strings.Replace(tt.ports, "PORT", port, 1)))), "a.yaml")
			r := examine(t, o)
			expect(t, r, "environment.compose-ports")
			if want := fmt.Sprintf("(pid %d)", os.Getpid()); !strings.Contains(r.Findings[0].Message, want) {
				t.Errorf("the holder isn't named: %s", r.Findings[0].Message)
			}
		})
	}
	t.Run("nobody holds it", func(t *testing.T) {
		o := options(t, "")
		o.PathLookup = programs(t, map[string]string{"docker": strings.Replace(created, "SERVICE", "redis", 1)})
		o.ComposeFile = filepath.Join(folder(t, one(fmt.Sprintf(file, "redis", "127.0.0.1:1:6379"))), "a.yaml")
		expect(t, examine(t, o), "environment.docker")
	})
	t.Run("containers were never made", func(t *testing.T) {
		o := options(t, "")
		o.PathLookup = programs(t, map[string]string{"docker": "exit 0"})
		o.ComposeFile = filepath.Join(folder(t, one(fmt.Sprintf(file, "redis", "127.0.0.1:"+taken(t)+":6379"))), "a.yaml")
		expect(t, examine(t, o), "environment.running")
	})
}

func TestVersions(t *testing.T) {
	cli := func(version string) string {
		return "printf 'CLI version: " + version + " \\nRuntime version: 1.18.3\\n'"
	}
	t.Run("28 an old CLI", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.PathLookup = programs(t, map[string]string{"dapr": cli("1.10.0")})
		expect(t, examine(t, o), "environment.versions")
	})
	t.Run("41 an old daprd", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		old := programs(t, map[string]string{"daprd": "echo 1.9.5"})
		o.FindDaprd = func() (string, error) { return old("daprd") }
		expect(t, examine(t, o), "environment.versions")
	})
	t.Run("a CLI of near", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.PathLookup = programs(t, map[string]string{"dapr": cli("1.17.1")})
		expect(t, examine(t, o))
	})
	t.Run("41 an old sidecar that runs", func(t *testing.T) {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1.0/metadata" {
				fmt.Fprint(w, `{"id":"todo-backend","runtimeVersion":"1.9.5","components":[{"name":"pubsub-kafka","type":"pubsub.kafka"}]}`)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		defer server.Close()
		o, _, _ := broker(t, "", true)
		o.DaprHTTP.Chosen = true
		_, o.DaprHTTP.Value, _ = net.SplitHostPort(server.Listener.Addr().String())
		expect(t, examine(t, o), "sidecar.version")
	})
}

func TestScripts(t *testing.T) {
	o, _, _ := broker(t, "", true)
	dir := folder(t, map[string]string{
		"topics.sh": "#!/bin/sh\r\nprintf 'a\\r\\n'\r\n", "well.sh": "#!/bin/sh\nexit 0\n", "sourced.sh": "x=1\r\n", "dir.sh/x": "",
	})
	path := filepath.Join(dir, "topics.sh")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command(path).Run(); err == nil {
		t.Fatal("the script runs although its interpreter's name ends with CR")
	}
	o.ScriptDirs = []string{dir}
	t.Run("42 CR LF", func(t *testing.T) {
		r := examine(t, o)
		expect(t, r, "environment.scripts")
		if err := r.Fixable()[0].Fix.Apply(t.Context()); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(path).Output(); err != nil || string(out) != "a\r\n" {
			t.Errorf("the mended script: %q, %v", out, err)
		}
		expect(t, examine(t, o))
	})
}

// netsh prints as it does on Windows.
func TestReservedPorts(t *testing.T) {
	netsh := `printf '\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port\r\n----------    --------\r\n      7950        8049\r\n     50000       50059     *\r\n\r\n* - Administered port exclusions.\r\n'`
	o := options(t, "")
	o.PathLookup = programs(t, map[string]string{"netsh": netsh})
	t.Run("42 reserved", func(t *testing.T) {
		o.APIAddr, o.DaprGRPC.Value = "127.0.0.1:8001", "50001"
		expect(t, examine(t, o), "environment.reserved-ports", "environment.reserved-ports")
	})
	t.Run("beside the ranges", func(t *testing.T) {
		o.APIAddr, o.DaprGRPC.Value = "127.0.0.1:8050", "50060"
		expect(t, examine(t, o), "environment.running")
	})
}

// signed is a token as a login would give it.
func signed(t *testing.T, algorithm, secret string, claims map[string]any) string {
	t.Helper()
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	text := part(map[string]string{"alg": algorithm, "typ": "JWT"}) + "." + part(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func TestToken(t *testing.T) {
	later := time.Now().Add(time.Hour).Unix()
	well := map[string]any{"sub": "u1", "exp": later}
	tests := map[string]struct {
		text string
		says []string
	}{
		"well":                    {signed(t, "HS256", "s", well), nil},
		"38 expired":              {signed(t, "HS256", "s", map[string]any{"sub": "u1", "exp": 1700000000}), []string{"expired"}},
		"38 not yet valid":        {signed(t, "HS256", "s", map[string]any{"sub": "u1", "nbf": later}), []string{"isn't valid yet"}},
		"38 another user":         {signed(t, "HS256", "s", map[string]any{"user_id": "u2", "exp": later}), []string{"another user"}},
		"38 a user without claim": {signed(t, "HS256", "s", map[string]any{"name": "x"}), []string{"names no user"}},
		"38 another secret":       {signed(t, "HS256", "t", well), []string{"another secret"}},
		"38 another algorithm":    {signed(t, "RS256", "s", well), []string{"key pair"}},
		"38 not signed":           {signed(t, "none", "s", well), []string{"isn't signed"}},
		"38 two at once":          {signed(t, "HS256", "t", map[string]any{"sub": "u2"}), []string{"another user", "another secret"}},
		"38 no token":             {"abc", []string{"1 parts, not 3"}},
		"38 no JSON":              {"a.b.c", []string{"part 1 is no JSON"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o, _, _ := broker(t, "", true)
			o.Token = Token{Text: tt.text, Secret: "s", User: "u1"}
			r := examine(t, o)
			want := make([]string, len(tt.says))
			for i := range want {
				want[i] = "environment.token"
			}
			expect(t, r, want...)
			for i, says := range tt.says {
				if i < len(r.Findings) && !strings.Contains(r.Findings[i].Message, says) {
					t.Errorf("%q lacks %q", r.Findings[i].Message, says)
				}
			}
			if text := fmt.Sprint(r); strings.Contains(text, tt.text) && tt.text != "abc" {
				t.Error("the report shows the token")
			}
		})
	}
}
