package doctor

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// redis runs a real Redis until the test ends and returns its address.
func redis(t *testing.T, settings ...string) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	ln.Close()
	cmd := exec.Command(path, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir()}, settings...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "Ready to accept connections") {
				ready <- true
			}
		}
		ready <- false
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	select {
	case up := <-ready:
		if !up {
			t.Fatal("redis-server ended")
		}
	case <-ctx.Done():
		t.Fatal("redis-server isn't ready")
	}
	return "127.0.0.1:" + port
}

func TestRedis(t *testing.T) {
	store := func(t *testing.T, metadata ...string) Options {
		t.Helper()
		o, _, _ := broker(t, folder(t, one(comp("statestore", "state.redis", metadata...))), true)
		o.Publishes = false
		return o
	}
	t.Run("well", func(t *testing.T) {
		expect(t, examine(t, store(t, "redisHost", redis(t), "redisPassword", `""`)))
	})
	t.Run("well with a password", func(t *testing.T) {
		expect(t, examine(t, store(t, "redisHost", redis(t, "--requirepass", "secret"), "redisPassword", "secret")))
	})
	for name, metadata := range map[string][]string{
		"36 wrong password": {"redisPassword", "x"},
		"36 no password":    {},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, examine(t, store(t, append(metadata, "redisHost", redis(t, "--requirepass", "secret"))...)), "database.redis")
		})
	}
	t.Run("36 it is down", func(t *testing.T) {
		expect(t, examine(t, store(t, "redisHost", "127.0.0.1:1")), "database.redis")
	})
}
