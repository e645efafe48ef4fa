// Package rabbitserver runs a RabbitMQ node for tests: a real one with a name, a cookie,
// a folder and ports of its own, all of them on loopback. It needs no root, and touches
// neither the system's node nor its epmd.
package rabbitserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ErrMissing says that no RabbitMQ is installed here.
var ErrMissing = errors.New("rabbitmq-server isn't below /usr/lib/rabbitmq nor on PATH, or epmd isn't")

// A Server is a RabbitMQ node of our own. The user is guest, and so is the password.
type Server struct {
	bin, epmd, dir string
	amqp           int // ports
	distribution   int
	mapper         int
	processes      []process
}

// A process is one that Start has started.
type process struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when it has ended
}

// New makes a folder for a node's data; Remove removes it. Start starts the node.
func New(ctx context.Context) (*Server, error) {
	s := &Server{bin: find("/usr/lib/rabbitmq/bin/rabbitmq-server"), epmd: find("epmd")}
	if s.bin == "" {
		s.bin = find("rabbitmq-server") // the wrapper in a distribution's /usr/sbin wants root
	}
	if s.bin == "" || s.epmd == "" {
		return nil, ErrMissing
	}
	for _, port := range []*int{&s.amqp, &s.distribution, &s.mapper} {
		var err error
		if *port, err = freePort(ctx); err != nil {
			return nil, err
		}
	}
	var err error
	if s.dir, err = os.MkdirTemp("", "todoctl-rabbitmq"); err != nil {
		return nil, err
	}
	cookie := filepath.Join(s.dir, ".erlang.cookie")
	if err := os.WriteFile(cookie, []byte(strconv.FormatInt(time.Now().UnixNano(), 36)), 0o400); err != nil {
		return nil, errors.Join(err, s.Remove())
	}
	return s, nil
}

func find(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
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

// Addr is where the node speaks AMQP, the same after each start.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.amqp)) }

// URL is its address for clients.
func (s *Server) URL() string { return "amqp://guest:guest@" + s.Addr() + "/" }

// Start returns when the node speaks AMQP.
func (s *Server) Start(ctx context.Context) error {
	// Epmd tells nodes where others are. Erlang would start one that stays.
	if err := s.run(ctx, s.epmd, "-address", "127.0.0.1", "-port", strconv.Itoa(s.mapper)); err != nil {
		return err
	}
	if err := s.run(ctx, s.bin, "-noinput"); err != nil {
		s.Kill()
		return err
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !s.speaks(ctx) {
		select {
		case <-s.processes[1].exited:
			s.Kill()
			return s.failure()
		case <-ctx.Done():
			s.Kill()
			return errors.Join(ctx.Err(), s.failure())
		case <-tick.C:
		}
	}
	return nil
}

// run starts a process whose output is appended to the log.
func (s *Server) run(ctx context.Context, bin string, args ...string) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p := process{cmd: exec.CommandContext(context.WithoutCancel(ctx), bin, args...), exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Env, p.cmd.Dir = log, log, s.environ(p.cmd.Environ()), s.dir
	if err := p.cmd.Start(); err != nil {
		log.Close()
		return err
	}
	go func() {
		defer close(p.exited)
		defer log.Close()
		_ = p.cmd.Wait() // the log tells more
	}()
	s.processes = append(s.processes, p)
	return nil
}

// environ is that of the node: what RabbitMQ's own variables say here, and nothing of
// those that stand in the test's.
func (s *Server) environ(tests []string) []string {
	var env []string
	for _, entry := range tests {
		if !strings.HasPrefix(entry, "RABBITMQ_") && !strings.HasPrefix(entry, "ERL_") && !strings.HasPrefix(entry, "HOME=") {
			env = append(env, entry)
		}
	}
	in := func(name string) string { return filepath.Join(s.dir, name) }
	return append(env,
		"HOME="+s.dir,
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"ERL_EPMD_PORT="+strconv.Itoa(s.mapper),
		"RABBITMQ_NODENAME=todoctl"+strconv.Itoa(s.amqp)+"@localhost",
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1",
		"RABBITMQ_NODE_PORT="+strconv.Itoa(s.amqp),
		"RABBITMQ_DIST_PORT="+strconv.Itoa(s.distribution),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}",
		"RABBITMQ_MNESIA_BASE="+in("mnesia"),
		"RABBITMQ_LOG_BASE="+in("logs"),
		"RABBITMQ_LOGS=-",
		"RABBITMQ_CONFIG_FILE="+in("rabbitmq"), // none there: the system's isn't read
		"RABBITMQ_CONF_ENV_FILE="+in("rabbitmq-env.conf"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+in("plugins"),
		"RABBITMQ_ALLOW_INPUT=1", // the node is this very process, not the child of a shell
	)
}

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

// failure tells why the node has ended, in the last words of its log.
func (s *Server) failure() error {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return err
	}
	return fmt.Errorf("rabbitmq-server ended: %s", text[max(0, len(text)-2000):])
}

// speaks sends the header of AMQP 0-9-1 and looks for the first octet of a method frame.
func (s *Server) speaks(ctx context.Context) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", s.Addr())
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return false
	}
	_, err = conn.Write([]byte("AMQP\x00\x00\x09\x01"))
	answer := make([]byte, 1)
	if err == nil {
		_, err = conn.Read(answer)
	}
	return err == nil && answer[0] == 1
}

// Keeps tells whether the node has written a name to disk. It writes what is declared some
// two seconds later, and in order: what was declared before is there too.
func (s *Server) Keeps(name string) bool {
	for _, kind := range []string{"*.LOG", "*.DCL", "*.DCD"} { // Mnesia's log and tables
		paths, _ := filepath.Glob(filepath.Join(s.dir, "mnesia", "*", kind)) // the pattern is well formed
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil && bytes.Contains(text, []byte(name)) { // files come and go
				return true
			}
		}
	}
	return false
}

// Kill ends the node at once, as a crash does.
func (s *Server) Kill() {
	for len(s.processes) > 0 {
		last := s.processes[len(s.processes)-1]
		s.processes = s.processes[:len(s.processes)-1]
		_ = last.cmd.Process.Kill() // it may be gone already
		<-last.exited
	}
}

// Remove removes the data of a node that is stopped.
func (s *Server) Remove() error { return os.RemoveAll(s.dir) }
