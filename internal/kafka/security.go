package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	saslplain "github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// The SASL mechanisms, as Security.Mechanism has them.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// Mechanisms lists the SASL mechanisms.
func Mechanisms() []string { return []string{Plain, ScramSHA256, ScramSHA512} }

// Security says how a client knows the brokers and how it shows who it is. The zero
// value is a plain connection without a login. A broker's certificate is always
// checked, with the name that the client dials.
type Security struct {
	TLS       bool
	CA        []byte // PEM; the system's when empty
	Cert, Key []byte // PEM; both or neither

	Mechanism      string // one of Mechanisms, or "" for no login
	User, Password string
}

// On tells whether anything is set.
func (s Security) On() bool { return s.TLS || s.Mechanism != "" }

// Check returns an error unless the parts fit together; nothing is dialed.
func (s Security) Check() error {
	switch {
	case s.Mechanism == "" && (s.User != "" || s.Password != ""):
		return errors.New("a user or a password is given and no SASL mechanism: one of " + strings.Join(Mechanisms(), ", "))
	case s.Mechanism == "":
	case !slices.Contains(Mechanisms(), s.Mechanism):
		return fmt.Errorf("SASL mechanism %q: must be one of %s", s.Mechanism, strings.Join(Mechanisms(), ", "))
	case s.User == "" || s.Password == "":
		return fmt.Errorf("SASL mechanism %s needs a user and a password", s.Mechanism)
	}
	_, err := s.tlsConfig()
	return err
}

// tlsConfig is nil for a plain connection.
func (s Security) tlsConfig() (*tls.Config, error) {
	if !s.TLS {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(s.CA) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(s.CA) {
			return nil, errors.New("the CA holds no certificate in PEM form (BEGIN CERTIFICATE)")
		}
	}
	if len(s.Cert) == 0 && len(s.Key) == 0 {
		return config, nil
	}
	if len(s.Cert) == 0 || len(s.Key) == 0 {
		return nil, errors.New("a client certificate and its key go together, and one is missing")
	}
	pair, err := tls.X509KeyPair(s.Cert, s.Key)
	if err != nil {
		return nil, fmt.Errorf("client certificate: %s", strings.TrimPrefix(err.Error(), "tls: "))
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// clientOpts are the options of a client.
func (s Security) clientOpts() ([]kgo.Opt, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	config, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	var opts []kgo.Opt
	if config != nil {
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if m := s.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

func (s Security) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case Plain:
		return saslplain.Auth{User: s.User, Pass: s.Password}.AsMechanism()
	case ScramSHA256:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha256Mechanism()
	case ScramSHA512:
		return scram.Auth{User: s.User, Pass: s.Password}.AsSha512Mechanism()
	default:
		return nil
	}
}
