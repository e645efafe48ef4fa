// Package redisserver runs a Redis server for tests: a real one that syncs every write
// to disk, on a free port of loopback, in a folder of its own.
package redisserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// ErrMissing says that no Redis is installed here.
var ErrMissing = errors.New("redis-server isn't on PATH")

// A Server is a Redis server of our own, without a password.
type Server struct {
	bin, dir string
	port     int
	cmd      *exec.Cmd
	exited   chan struct{} // closed when the process has ended
}

// New makes a folder for a server's data; Remove removes it. Start starts the server.
func New(ctx context.Context) (*Server, error) {
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		return nil, ErrMissing
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "todoctl-redis")
	if err != nil {
		return nil, err
	}
	return &Server{bin: bin, dir: dir, port: port}, nil
}

func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Addr is where the server listens, the same after each start.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// Start returns when the server has loaded its data and takes commands.
func (s *Server) Start(ctx context.Context) error {
	var log bytes.Buffer
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.bin, "--bind", "127.0.0.1", "--port", strconv.Itoa(s.port),
		"--dir", s.dir, "--appendonly", "yes", "--appendfsync", "always", "--save", "")
	s.cmd.Stdout = &log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func() {
		defer close(exited)
		_ = s.cmd.Wait() // what it printed tells more
	}()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := s.Do(ctx, "PING")
		if err == nil && answer == "+PONG" {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("redis-server ended: %s", log.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill() // it may be gone already
	<-s.exited
}

// Remove removes the data of a server that is stopped.
func (s *Server) Remove() error { return os.RemoveAll(s.dir) }

// Do sends a command and returns the first line of the answer as it came, such as +PONG,
// :3 or -ERR …. No word may hold a blank.
func (s *Server) Do(ctx context.Context, words ...string) (string, error) {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := conn.Write([]byte(strings.Join(words, " ") + "\r\n")); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}
