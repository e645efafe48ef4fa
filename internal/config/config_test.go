package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func lookup(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := env[name]; return v, ok }
}

func run(addresses map[string]string) func(string) map[string]string {
	return func(string) map[string]string { return addresses }
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLayers(t *testing.T) {
	file := write(t, "todoctl.yaml", `
brokers: [a:1, b:2]
user: from-file
log-level: warn
profiles:
  prod:
    user: from-profile
    dapr-http-port: 3700
`)
	c, err := Load(Layers{
		Flags: map[string]string{"api-url": "http://flag:1"},
		LookupEnv: lookup(map[string]string{
			"TODOCTL_LOG_LEVEL": "debug", "TODOCTL_API_URL": "http://env:1",
			"DAPR_GRPC_PORT": "50007", "DATABASE_URL": "postgres://todo:secret@db/todo", "TODOCTL_APP_ID": "",
		}),
		File: file, Profile: "prod",
		Run: run(map[string]string{"dapr-http-port": "1", "api-addr": "127.0.0.1:9"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Value{
		"api-url":        {"api-url", "http://flag:1", "--api-url"},
		"log-level":      {"log-level", "debug", "TODOCTL_LOG_LEVEL"},
		"dapr-grpc-port": {"dapr-grpc-port", "50007", "DAPR_GRPC_PORT"},
		"database":       {"database", "postgres://todo:***@db/todo", "DATABASE_URL"},
		"brokers":        {"brokers", "a:1,b:2", file},
		"user":           {"user", "from-profile", file},
		"dapr-http-port": {"dapr-http-port", "3700", file},
		"api-addr":       {"api-addr", "127.0.0.1:8001", "default"}, // where to listen is never taken from a running stack
		"app-id":         {"app-id", "todo-backend", "default"},     // an empty variable is none
	}
	got := map[string]Value{}
	for _, v := range c.Values() {
		if _, ok := want[v.Key]; ok {
			got[v.Key] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a:1", "b:2"}, c.List("brokers")); diff != "" {
		t.Errorf("brokers (-want +got):\n%s", diff)
	}
	if db := c.Get("database"); db != "postgres://todo:secret@db/todo" {
		t.Errorf("database = %q: Get must not mask", db)
	}
}

func TestRunningStackBeforeDefault(t *testing.T) {
	c, err := Load(Layers{
		Flags:     map[string]string{"dapr-http-port": "0"},
		LookupEnv: lookup(nil),
		Run:       run(map[string]string{"api-url": "http://127.0.0.1:9001", "dapr-http-port": "40001"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Int("dapr-http-port") != 40001 {
		t.Errorf("dapr-http-port = %d, want the port that was free", c.Int("dapr-http-port"))
	}
	if c.Get("api-url") != "http://127.0.0.1:9001" || c.Source("api-url") != "run.json" || c.Chosen("api-url") {
		t.Errorf("api-url = %s from %s", c.Get("api-url"), c.Source("api-url"))
	}
}

func TestBadSettings(t *testing.T) {
	unknown := write(t, "todoctl.yaml", "borkers: a:1\n")
	group := write(t, "todoctl.yaml", "brokers:\n  a: 1\n")
	broken := write(t, "todoctl.yaml", "brokers: [a\n")
	tests := map[string]struct {
		layers Layers
		want   string
	}{
		"no file":     {Layers{File: "missing.yaml"}, "missing.yaml"},
		"broken file": {Layers{File: broken}, broken},
		"unknown key": {Layers{File: unknown}, `unknown setting "borkers"`},
		"group":       {Layers{File: group}, "brokers holds a group"},
		"no profile":  {Layers{File: write(t, "t.yaml", "profiles: {dev: {user: x}}"), Profile: "prod"}, `profile "prod" is not in`},
		"profile without file": {
			Layers{Profile: "prod"}, `profile "prod": there is no todoctl.yaml`,
		},
		"port":    {Layers{Flags: map[string]string{"dapr-http-port": "70000"}}, `dapr-http-port "70000" (from --dapr-http-port): must be a port`},
		"address": {Layers{Flags: map[string]string{"api-addr": "8001"}}, "must be an address such as"},
		"choice":  {Layers{Flags: map[string]string{"sidecar": "maybe"}}, "must be one of auto, spawn, external, off"},
		"brokers": {Layers{Flags: map[string]string{"brokers": "localhost"}}, "brokers"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.layers.LookupEnv = lookup(nil)
			tt.layers.ConfigDir = t.TempDir()
			if _, err := Load(tt.layers); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v, want it to have %q", err, tt.want)
			}
		})
	}
}

func TestMask(t *testing.T) {
	for in, want := range map[string]string{
		"":                                 "",
		"s3cr3t":                           "***",
		"/home/u/todo.db":                  "/home/u/todo.db",
		"sqlite:todo":                      "sqlite:todo",
		"postgres://db/todo":               "postgres://db/todo",
		"postgres://u:p@db/todo":           "postgres://u:***@db/todo",
		"postgres://db/todo?password=p":    "postgres://db/todo?password=***",
		"host=db user=u password=p dbname": "***",
	} {
		if got := mask(in); got != want {
			t.Errorf("mask(%q) = %q, want %q", in, got, want)
		}
	}
}
