//go:build linux

package stack

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFindLeftovers(t *testing.T) {
	var opts SidecarOptions
	fill(t, &opts)
	opts, err := opts.complete(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := opts.checkFiles(); err != nil {
		t.Fatal(err)
	}
	pid, ended := orphan(t, opts)
	writeTestFile(t, strings.TrimSuffix(opts.pidPath(), ".pid")+"-other.pid", "{", 0o600)
	found := FindLeftovers(opts.Dir)
	if len(found) != 1 || found[0].PID != pid || found[0].AppID != opts.AppID {
		t.Fatalf("found %v, want pid %d", found, pid)
	}
	if err := found[0].End(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("it ended by itself")
	}
	if left := FindLeftovers(opts.Dir); len(left) != 0 {
		t.Errorf("still there: %v", left)
	}
}

// A sidecar whose todoctl runs is none.
func TestRunningSidecarIsNoLeftover(t *testing.T) {
	s, _ := start(t, SidecarOptions{})
	if found := FindLeftovers(s.opts.Dir); len(found) != 0 {
		t.Errorf("found %v", found)
	}
}

func TestOpenPort(t *testing.T) {
	for addr, want := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got := OpenPort(ln.Addr().(*net.TCPAddr).Port); got != want {
			t.Errorf("%s: %v", ln.Addr(), got)
		}
		ln.Close()
	}
}

func TestProcessEnv(t *testing.T) {
	cmd, _ := startChild(t, "wait", "a folder")
	if v, ok := ProcessEnv(cmd.Process.Pid, "STACK_DIR"); !ok || v != "a folder" {
		t.Errorf("STACK_DIR = %q, %v", v, ok)
	}
	if _, ok := ProcessEnv(cmd.Process.Pid, "STACK_NONE"); ok {
		t.Error("a variable that isn't set")
	}
}

func TestDaprdVersion(t *testing.T) {
	version, err := DaprdVersion(context.Background(), daprd(t))
	if err != nil || !strings.HasPrefix(version, "1.") {
		t.Errorf("version %q, %v", version, err)
	}
	if _, err := DaprdVersion(context.Background(), os.DevNull); err == nil {
		t.Error("no error for a file that can't be run")
	}
}

func TestParseContainers(t *testing.T) {
	want := []Container{{Service: "a", State: "running", Health: "healthy"}, {Service: "b", State: "exited", Exit: 1}}
	for _, out := range []string{
		`[{"Service":"a","State":"running","Health":"healthy"},{"Service":"b","State":"exited","ExitCode":1}]`,
		`{"Service":"a","State":"running","Health":"healthy"}` + "\n" + `{"Service":"b","State":"exited","ExitCode":1}` + "\n",
	} {
		got, err := parseContainers([]byte(out))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
}
