package notify

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// certificate is one for 127.0.0.1, and the pool that trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return &tls.Config{Certificates: server.TLS.Certificates}, pool
}

// A mailServer is a go-smtp server on loopback that keeps what it gets and refuses
// what it is told to.
type mailServer struct {
	host      string
	port      int
	roots     *x509.CertPool
	logins    []string // mechanisms; none asks for no password
	refuse    map[string]*smtp.SMTPError
	mu        sync.Mutex
	passwords []string
	messages  []received
}

type received struct {
	from, to  string
	encrypted bool
	header    mail.Header
	body      string
}

// newMailServer serves with one of StartTLS, ImplicitTLS and NoTLS.
func newMailServer(t *testing.T, how string, logins ...string) *mailServer {
	t.Helper()
	m := &mailServer{logins: logins, refuse: map[string]*smtp.SMTPError{}}
	config, roots := certificate(t)
	m.roots = roots
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		_, encrypted := c.TLSConnectionState()
		return &mailSession{server: m, received: received{encrypted: encrypted}}, m.refusal("connect")
	}))
	server.ErrorLog = quietLogger{}
	server.AllowInsecureAuth = how == NoTLS
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.host, m.port = hostPort(t, listener.Addr().String())
	switch how {
	case StartTLS:
		server.TLSConfig = config
	case ImplicitTLS:
		listener = tls.NewListener(listener, config)
	}
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		server.Close()
		if err := <-done; err != nil && !errors.Is(err, smtp.ErrServerClosed) {
			t.Error(err)
		}
	})
	return m
}

type quietLogger struct{}

func (quietLogger) Printf(string, ...any) {}
func (quietLogger) Println(...any)        {}

func hostPort(t *testing.T, address string) (string, int) {
	t.Helper()
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// refusal is what a step is refused with; a nil *smtp.SMTPError would be an error.
func (m *mailServer) refusal(step string) error {
	if err := m.refuse[step]; err != nil {
		return err
	}
	return nil
}

func (m *mailServer) got() ([]received, []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.messages), slices.Clone(m.passwords)
}

// email is a channel to the server.
func (m *mailServer) email(t *testing.T, how string) *Email {
	t.Helper()
	o := EmailOptions{Host: m.host, Port: m.port, TLS: how, From: "Todo <todo@example.com>", To: "u1@example.org", Now: fixedNow}
	if len(m.logins) > 0 {
		o.Username, o.Password = "todo", NewSecret("hunter2")
	}
	e, err := NewEmail(o)
	if err != nil {
		t.Fatal(err)
	}
	e.roots = m.roots
	return e
}

type mailSession struct {
	server *mailServer
	received
}

func (s *mailSession) Reset()        { s.received = received{encrypted: s.encrypted} }
func (s *mailSession) Logout() error { return nil }

func (s *mailSession) AuthMechanisms() []string { return s.server.logins }

func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	return &saslServer{server: s.server, mechanism: mechanism}, nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	s.from = from
	return s.server.refusal("mail")
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to += to
	return s.server.refusal("rcpt")
}

func (s *mailSession) Data(r io.Reader) error {
	whole, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.server.refusal("data"); err != nil {
		return err
	}
	m, err := mail.ReadMessage(bytes.NewReader(whole))
	if err != nil {
		return err
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return err
	}
	s.header, s.body = m.Header, string(body)
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	s.server.messages = append(s.server.messages, s.received)
	return nil
}

// saslServer takes any password by PLAIN or LOGIN and keeps it.
type saslServer struct {
	server    *mailServer
	mechanism string
	words     []string
}

func (s *saslServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if s.mechanism == sasl.Plain {
		s.words = strings.Split(string(response), "\x00")[1:]
	} else if response != nil {
		s.words = append(s.words, string(response))
	}
	if len(s.words) < 2 {
		return []byte("Password:"), false, nil
	}
	s.server.mu.Lock()
	s.server.passwords = append(s.server.passwords, s.mechanism+" "+strings.Join(s.words, " "))
	s.server.mu.Unlock()
	return nil, true, s.server.refusal("auth")
}

// scriptedMailServer answers each command by its first word: with the lines of
// answers, "hang" for nothing, or "close". What it has no answer for is a 250.
func scriptedMailServer(t *testing.T, answers map[string]string) (*mailServer, *[]string) {
	t.Helper()
	var commands []string
	m := &mailServer{}
	m.host, m.port = hostPort(t, rawServer(t, func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		for command := "greeting"; ; {
			answer, ok := answers[command]
			switch {
			case answer == "hang":
				_, _ = io.Copy(io.Discard, reader)
				return
			case answer == "close":
				return
			case !ok && command == "greeting":
				answer = "220 scripted"
			case !ok && command == "DATA":
				answer = "354 go on"
			case !ok:
				answer = "250 scripted"
			}
			if _, err := io.WriteString(conn, answer+"\r\n"); err != nil {
				return
			}
			line, err := reader.ReadString('\n')
			for err == nil && command == "DATA" && line != ".\r\n" {
				line, err = reader.ReadString('\n')
			}
			if err != nil {
				return
			}
			command = strings.ToUpper(strings.Fields(line)[0])
			commands = append(commands, command)
		}
	}))
	return m, &commands
}
