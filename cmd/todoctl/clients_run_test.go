//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	apache "github.com/todoctl/todoctl/test/kafka"
)

// kafkaPython is the version of Python's library that the tests run.
const kafkaPython = "kafka-python==2.2.15"

// needPython returns the folder with Python's library below the user's cache folder,
// which pip fills once.
func needPython(t *testing.T) string {
	t.Helper()
	if err := exec.Command("python3", "-m", "pip", "--version").Run(); err != nil {
		missing(t, "python3 with pip, for its Kafka library, is not installed")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "todoctl", kafkaPython)
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(dir); err == nil {
		return dir
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(part) }() // it has become dir, or is of no use
	out, err := exec.CommandContext(ctx, "python3", "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--target", part, kafkaPython).CombinedOutput()
	if err != nil {
		t.Fatalf("install %s: %v\n%s", kafkaPython, err, out)
	}
	if err := os.Rename(part, dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func needTools(t *testing.T) *apache.Tools {
	t.Helper()
	tools, err := apache.FindTools(t.Context(), os.Stderr)
	if errors.Is(err, apache.ErrMissing) {
		missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	return tools
}

// run runs a client with what it is given to read, and returns what it prints.
func (c *clientTest) run(input string, cmd *exec.Cmd) string {
	c.Helper()
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), &out, &errs
	if err := cmd.Run(); err != nil {
		c.Fatalf("%.300q: %v\n%s", cmd.Args, err, &errs)
	}
	return out.String()
}

func (c *clientTest) command(args ...string) *exec.Cmd {
	return exec.CommandContext(c.ctx, "todoctl", args...)
}

// py runs testdata/clients/client.py.
func (c *clientTest) py(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.ctx, "python3", append([]string{"testdata/clients/client.py", c.broker()}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+c.python)
	return cmd
}

// throughDapr publishes with the sidecar of a task API of its own, whose client is Sarama.
func (c *clientTest) throughDapr(daprd, topic string) {
	c.Helper()
	dir := c.TempDir()
	ready := filepath.Join(dir, "ready")
	serve := c.command("serve", "--brokers", c.broker(), "--ready-file", ready, "--data-dir", dir, "--daprd", daprd,
		"--api-addr", "127.0.0.1:0", "--dapr-http-port", "0", "--dapr-grpc-port", "0")
	var log bytes.Buffer
	serve.Stdout, serve.Stderr = &log, &log
	if err := serve.Start(); err != nil {
		c.Fatal(err)
	}
	defer func() {
		_ = serve.Process.Signal(os.Interrupt) // how it ended shows in its log
		if err := serve.Wait(); err != nil {
			c.Errorf("serve: %v\n%s", err, &log)
		}
	}()
	var run struct {
		HTTP int `json:"dapr_http_port"`
		GRPC int `json:"dapr_grpc_port"`
	}
	waitFor(c, func() bool {
		text, err := os.ReadFile(ready)
		return err == nil && json.Unmarshal(text, &run) == nil
	})
	c.run(c.jsonLines(), c.command("events", "publish", topic, "--brokers", c.broker(),
		"--dapr-http-port", fmt.Sprint(run.HTTP), "--dapr-grpc-port", fmt.Sprint(run.GRPC)))
}
