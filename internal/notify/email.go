package notify

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/wneessen/go-mail"
)

// How an e-mail server is spoken to.
const (
	StartTLS    = "starttls" // TLS after a plain greeting, and nothing without it; port 587
	ImplicitTLS = "tls"      // TLS from the first byte; port 465
	NoTLS       = "none"     // for a server on this machine or in a network of one's own; port 25
)

// EmailOptions say how e-mails are sent.
type EmailOptions struct {
	Host     string
	Port     int    // 0 is the usual one for TLS
	TLS      string // StartTLS, ImplicitTLS or NoTLS; empty is StartTLS
	Username string // empty sends no password
	Password Secret
	From, To string // such as "Todo <todo@example.com>"
	Now      func() time.Time
}

// Email sends each notification as a plain-text message to one address. The
// Message-ID is made from the notification's ID, so that a repeat has the same. A
// password goes over TLS only, or to this machine.
type Email struct {
	options EmailOptions
	domain  string         // of From, for the Message-ID
	roots   *x509.CertPool // nil is the system's
}

// NewEmail checks the options; its errors begin with the option at fault and show
// no secret.
func NewEmail(o EmailOptions) (*Email, error) {
	if o.TLS == "" {
		o.TLS = StartTLS
	}
	if o.Port == 0 {
		o.Port = map[string]int{StartTLS: 587, ImplicitTLS: 465, NoTLS: 25}[o.TLS]
	}
	domain, err := checkAddress(o.From)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	if _, err := checkAddress(o.To); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	switch {
	case o.Host == "" || strings.ContainsFunc(o.Host, unicode.IsSpace) || strings.Contains(o.Host, "/"):
		return nil, errors.New("host: must be the name or address of a mail server")
	case o.TLS != StartTLS && o.TLS != ImplicitTLS && o.TLS != NoTLS:
		return nil, errors.New("tls: must be starttls, tls or none")
	case o.Port < 1 || o.Port > 65535:
		return nil, errors.New("port: must be 1 to 65535")
	case o.Username != "" && o.Password.Reveal() == "":
		return nil, errors.New("username: needs a secret")
	case o.Username == "" && o.Password.Reveal() != "":
		return nil, errors.New("username: is missing, and there is a secret")
	case o.Username != "" && o.TLS == NoTLS && !isThisMachine(o.Host):
		return nil, errors.New("tls: must not be none where a password is sent to another machine")
	}
	return &Email{options: o, domain: domain}, nil
}

// checkAddress returns an address' domain.
func checkAddress(s string) (domain string, err error) {
	address, err := netmail.ParseAddress(s)
	if err != nil || strings.ContainsFunc(s, unicode.IsControl) {
		return "", errors.New(`must be an e-mail address such as "Todo <todo@example.com>"`)
	}
	if strings.ContainsFunc(address.Address, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", errors.New("must have an address in ASCII; a domain such as bücher.example is written xn--bcher-kva.example")
	}
	return address.Address[strings.LastIndex(address.Address, "@")+1:], nil
}

// isThisMachine knows what go-mail sends a password to without TLS.
func isThisMachine(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// Send implements [Channel].
func (e *Email) Send(ctx context.Context, n Notification) error {
	message, err := e.message(n)
	if err != nil {
		return permanent("e-mail: %w", err)
	}
	if err := e.deliver(ctx, message); err != nil {
		return e.judge(ctx, err)
	}
	return nil
}

func (e *Email) message(n Notification) (*mail.Msg, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(m.From(e.options.From), m.To(e.options.To)); err != nil {
		return nil, err
	}
	m.Subject(n.Subject())
	m.SetDateWithValue(e.options.Now())
	m.SetMessageIDWithValue(n.key() + "@" + e.domain)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday reply, please
	m.SetBodyString(mail.TypeTextPlain, n.Text())
	return m, nil
}

func (e *Email) tlsConfig() *tls.Config {
	return &tls.Config{ServerName: e.options.Host, RootCAs: e.roots, MinVersion: tls.VersionTLS12}
}

// dial connects to the server.
func (e *Email) dial(ctx context.Context) (net.Conn, error) {
	address := net.JoinHostPort(e.options.Host, strconv.Itoa(e.options.Port)) // go-mail's own has no brackets around IPv6
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if e.options.TLS == ImplicitTLS {
		secured := tls.Client(conn, e.tlsConfig())
		if err := secured.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = secured
	}
	return conn, nil
}
