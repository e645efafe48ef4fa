package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
)

// An AccessError says that a broker is there and client and broker don't come
// together: TLS on one side only, a certificate that isn't trusted, a login that is
// refused.
type AccessError struct {
	Broker string // host:port
	Reason string // what the broker does, a sentence without its subject
	Mend   string // what to do
	Err    error
}

func (e *AccessError) Error() string {
	return fmt.Sprintf("the Kafka broker at %s %s; %s", e.Broker, e.Reason, e.Mend)
}

func (e *AccessError) Unwrap() error { return e.Err }

// The ways to mend that more than one fault has.
const (
	mendPlain    = "leave out --tls and the --tls-… files, or name the broker's TLS port with --brokers"
	mendTLS      = "turn it on with --tls, and name its CA with --tls-ca FILE unless a public one has signed its certificate"
	mendLogin    = "give --sasl-mechanism, --sasl-user, and the password in TODOCTL_SASL_PASSWORD or --sasl-password-file"
	mendPassword = "see --sasl-user and the password; the user may also be set up for another --sasl-mechanism only"
)

// An entry is how a client comes in.
type entry struct {
	tls       *tls.Config // nil: plain
	mechanism string      // "": no login
}

func entryOf(cl *kgo.Client) entry {
	var e entry
	e.tls, _ = cl.OptValue(kgo.DialTLSConfig).(*tls.Config)
	if mechanisms, _ := cl.OptValue(kgo.SASL).([]sasl.Mechanism); len(mechanisms) > 0 {
		e.mechanism = mechanisms[0].Name()
	}
	return e
}

// refusal is the *AccessError that explains why a request to a seed broker failed, or
// nil if err is something else. Where a broker has just hung up or said nothing, it is
// asked once more, with TLS or without.
func (e entry) refusal(ctx context.Context, addr string, err error) *AccessError {
	reason, mend := e.certificateFault(addr, err)
	if reason == "" {
		reason, mend = e.loginFault(ctx, addr, err)
	}
	if reason == "" && hungUp(err) {
		reason, mend = e.mismatch(ctx, addr)
	}
	if reason == "" {
		return nil
	}
	return &AccessError{Broker: addr, Reason: reason, Mend: mend, Err: err}
}

// certificateFault explains what either side says of the other's certificate.
func (e entry) certificateFault(addr string, err error) (reason, mend string) {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unverified *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	var op *net.OpError
	switch {
	case errors.As(err, &unknown):
		return "shows a certificate that no CA known here has signed", "name the CA that has signed it with --tls-ca FILE"
	case errors.As(err, &host):
		return fmt.Sprintf("shows a certificate that is not for %s but for %s", hostOf(addr), namesOf(host.Certificate)),
			"name the broker with --brokers as its certificate does, or give it one with this name"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return validity(invalid.Cert), "renew the broker's certificate"
	case errors.As(err, &unverified):
		return "shows a certificate that can't be trusted: " + unverified.Err.Error(), "give the broker another certificate"
	case errors.As(err, &plain):
		return "speaks without TLS, and TLS is on", mendPlain
	case !errors.As(err, &op) || op.Op != "remote error":
		return "", ""
	case e.tls != nil && len(e.tls.Certificates) == 0 && strings.Contains(op.Err.Error(), "certificate"):
		return "wants a client certificate", "give one with --tls-cert FILE and --tls-key FILE"
	case e.tls != nil && len(e.tls.Certificates) > 0:
		return fmt.Sprintf("refuses the client certificate (%s)", op.Err), "give one with --tls-cert FILE that is valid and signed by a CA that the broker trusts"
	}
	return fmt.Sprintf("breaks off the TLS handshake (%s)", op.Err), "see the broker's log"
}

func validity(c *x509.Certificate) string {
	const layout = "2006-01-02 15:04 MST"
	if now := time.Now(); now.Before(c.NotBefore) {
		return "shows a certificate that is not valid before " + c.NotBefore.UTC().Format(layout)
	}
	return "shows a certificate that expired at " + c.NotAfter.UTC().Format(layout)
}

func namesOf(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return "no host at all"
	}
	return strings.Join(names, ", ")
}

func hostOf(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	return host
}

// loginFault explains what a broker says of a login.
func (e entry) loginFault(ctx context.Context, addr string, err error) (reason, mend string) {
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return fmt.Sprintf("refuses the login with %s: wrong user or password", e.mechanism), mendPassword
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		has := "another one"
		if known := e.mechanisms(ctx, addr); len(known) > 0 {
			has = "one that it has: " + strings.ToLower(strings.Join(known, ", "))
		}
		return "doesn't take the SASL mechanism " + e.mechanism, "give --sasl-mechanism " + has
	case errors.Is(err, kerr.IllegalSaslState):
		return "wants no login", "leave out --sasl-mechanism, or name the broker's SASL port with --brokers"
	}
	return "", ""
}

// mechanisms asks a broker which ones it takes.
func (e entry) mechanisms(ctx context.Context, addr string) []string {
	resp, err := e.handshake(ctx, addr)
	if err != nil {
		return nil
	}
	return resp.SupportedMechanisms
}

// hungUp tells whether a broker closed the connection or said nothing, as brokers do
// when they are spoken to in the wrong way.
func hungUp(err error) bool {
	var first *kgo.ErrFirstReadEOF
	return errors.As(err, &first) || strings.Contains(err.Error(), "tls alert record") || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// mismatch finds out in which way a broker wants to be spoken to.
func (e entry) mismatch(ctx context.Context, addr string) (reason, mend string) {
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout/2)
	defer cancel()
	speaks, err := SpeaksTLS(ctx, addr)
	switch {
	case err != nil:
		return "", ""
	case e.tls != nil && !speaks:
		return "speaks without TLS, and TLS is on", mendPlain
	case e.tls == nil && speaks:
		return "speaks TLS, and TLS is off", mendTLS
	case len(e.mechanisms(ctx, addr)) == 0:
		return "", ""
	case e.mechanism == "":
		return "wants a login", mendLogin
	default:
		return fmt.Sprintf("hangs up on the login with %s, as for a wrong user or password", e.mechanism), mendPassword
	}
}

// SpeaksTLS tells whether a broker does; an error when it can't be told. Its
// certificate isn't looked at.
func SpeaksTLS(ctx context.Context, addr string) (bool, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	// A Kafka broker hangs up on what it takes for a huge request, or waits for it.
	handshake, cancel := context.WithTimeout(ctx, DefaultTimeout/5)
	defer cancel()
	err = tls.Client(conn, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(handshake) //nolint:gosec // nothing is sent, it is only asked
	var op *net.OpError
	if err == nil || (errors.As(err, &op) && op.Op == "remote error") {
		return true, nil
	}
	_, err = entry{}.handshake(ctx, addr)
	return false, err
}

// handshake asks one broker for an unknown mechanism, which all answer to all, once on
// a connection: a second ApiVersions request, say, has Apache Kafka hang up.
func (e entry) handshake(ctx context.Context, addr string) (*kmsg.SASLHandshakeResponse, error) {
	opts := []kgo.Opt{kgo.SeedBrokers(addr), kgo.DisableClientMetrics()}
	if e.tls != nil {
		opts = append(opts, kgo.DialTLSConfig(e.tls))
	}
	cl, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	req := kmsg.NewPtrSASLHandshakeRequest()
	req.Mechanism = "?"
	resp, err := cl.SeedBrokers()[0].Request(ctx, req)
	if err != nil {
		return nil, err
	}
	return resp.(*kmsg.SASLHandshakeResponse), nil
}
