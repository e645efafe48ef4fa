// Package pgserver runs a PostgreSQL server for tests: a real one, with fsync on, on
// a free port of loopback, in a folder of its own.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// ErrMissing says that no PostgreSQL is installed here.
var ErrMissing = errors.New("PostgreSQL's initdb isn't on PATH nor below /usr/lib/postgresql")

// A Server is a PostgreSQL server of our own. The user is todoctl, the password
// s3cret-Pass; any password is taken.
type Server struct {
	bin, dir string
	port     int
	attr     *syscall.SysProcAttr
	cmd      *exec.Cmd
	exited   chan struct{} // closed when the process has ended
}

// New makes a database cluster in a new folder; Remove removes it. Start starts the
// server.
func New(ctx context.Context) (*Server, error) { return NewIn(ctx, "") }

// NewIn is New in a new folder below parent, which must be open to other users: where
// tests run as root PostgreSQL doesn't.
func NewIn(ctx context.Context, parent string) (*Server, error) {
	bin := find()
	if bin == "" {
		return nil, ErrMissing
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "todoctl-postgres") // not below a test's own: that is closed to other users
	if err != nil {
		return nil, err
	}
	s := &Server{bin: bin, dir: dir, port: port}
	if err := s.init(ctx); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

func (s *Server) init(ctx context.Context) error {
	if err := s.dropRoot(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", "todoctl", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.SysProcAttr, cmd.Dir = s.attr, s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	return nil
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// find is the folder of initdb and postgres, "" without one.
func find() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
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

// URL is the address of a database; postgres and template1 are there.
func (s *Server) URL(database string) string {
	return fmt.Sprintf("postgres://todoctl:s3cret-Pass@127.0.0.1:%d/%s?sslmode=disable", s.port, database)
}

// Start returns when the server takes connections. More settings may be given as
// name=value.
func (s *Server) Start(ctx context.Context, settings ...string) error {
	var log bytes.Buffer
	args := []string{"-D", s.data(), "-p", strconv.Itoa(s.port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), filepath.Join(s.bin, "postgres"), args...)
	s.cmd.SysProcAttr, s.cmd.Dir, s.cmd.Stderr = s.attr, s.data(), &log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.exited = exited
	go func() {
		defer close(exited)
		_ = s.cmd.Wait() // what it printed tells more
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !s.accepts(ctx) {
		select {
		case <-s.exited:
			return fmt.Errorf("postgres ended: %s", log.String())
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// accepts asks as pg_isready does: a server that still recovers refuses.
func (s *Server) accepts(ctx context.Context) bool {
	ready := exec.CommandContext(ctx, filepath.Join(s.bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port))
	return ready.Run() == nil
}

// Stop ends the server at once, as `pg_ctl stop -m immediate` and a crash do.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // it may be gone already
	<-s.exited
}

// Runs reports whether the server hasn't ended by itself.
func (s *Server) Runs() bool {
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// Remove removes the cluster of a server that is stopped.
func (s *Server) Remove() error { return os.RemoveAll(s.dir) }
