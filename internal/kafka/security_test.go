package kafka_test

import (
	"crypto/tls"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/test/certs"
)

func makeCerts(t *testing.T) certs.Folder {
	t.Helper()
	f, err := certs.Make(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func file(t *testing.T, f certs.Folder, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(f.Path(name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func serverTLS(t *testing.T, f certs.Folder, name string, mutual bool) kfake.Opt {
	t.Helper()
	config, err := f.ServerConfig(name, mutual)
	if err != nil {
		t.Fatal(err)
	}
	config.MinVersion = tls.VersionTLS13
	return kfake.TLS(config)
}

// What was produced is consumed again, whatever the way in.
func TestSecurity(t *testing.T) {
	f := makeCerts(t)
	ca := file(t, f, certs.CA)
	login := func(mechanism string) []kfake.Opt {
		return []kfake.Opt{kfake.EnableSASL(), kfake.Superuser(strings.ToUpper(mechanism), "todo", "s3cret")}
	}
	for name, tt := range map[string]struct {
		opts     []kfake.Opt
		security kafka.Security
	}{
		"TLS":                  {[]kfake.Opt{serverTLS(t, f, certs.Server, false)}, kafka.Security{TLS: true, CA: ca}},
		"client certificate":   {[]kfake.Opt{serverTLS(t, f, certs.Server, true)}, kafka.Security{TLS: true, CA: ca, Cert: file(t, f, certs.ClientCert), Key: file(t, f, certs.ClientKey)}},
		"plain":                {login(kafka.Plain), kafka.Security{Mechanism: kafka.Plain, User: "todo", Password: "s3cret"}},
		"SCRAM-SHA-256":        {login(kafka.ScramSHA256), kafka.Security{Mechanism: kafka.ScramSHA256, User: "todo", Password: "s3cret"}},
		"SCRAM-SHA-512 in TLS": {append(login(kafka.ScramSHA512), serverTLS(t, f, certs.Server, false)), kafka.Security{TLS: true, CA: ca, Mechanism: kafka.ScramSHA512, User: "todo", Password: "s3cret"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, o := cluster(t, 1, tt.opts...)
			o.Security = tt.security
			produce(t, client(t, o), record(0, 0, "v"))
			if got := tailed(t, o, kafka.TailOptions{Topics: []string{"t"}, ExitAtEnd: true}); len(got) != 1 || !strings.Contains(got[0], "v") {
				t.Errorf("tailed %v", got)
			}
		})
	}
}

// Each way to be kept out has a sentence of its own.
func TestKeptOut(t *testing.T) {
	f := makeCerts(t)
	ca := file(t, f, certs.CA)
	trusting := kafka.Security{TLS: true, CA: ca}
	withCert := trusting
	withCert.Cert, withCert.Key = file(t, f, certs.ClientCert), file(t, f, certs.ClientKey)
	scram := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "todo", "s3cret")}
	tlsOn := func(name string, mutual bool) []kfake.Opt { return []kfake.Opt{serverTLS(t, f, name, mutual)} }
	login := func(mechanism, password string) kafka.Security {
		return kafka.Security{Mechanism: mechanism, User: "todo", Password: password}
	}
	for name, tt := range map[string]struct {
		opts     []kfake.Opt
		security kafka.Security
		want     string
	}{
		"wrong CA":              {tlsOn(certs.Server, false), kafka.Security{TLS: true, CA: file(t, f, certs.OtherCA)}, "shows a certificate that no CA known here has signed; name the CA that has signed it with --tls-ca FILE"},
		"the system's CAs":      {tlsOn(certs.Server, false), kafka.Security{TLS: true}, "shows a certificate that no CA known here has signed; name the CA"},
		"expired":               {tlsOn(certs.Expired, false), trusting, "shows a certificate that expired at " + time.Now().UTC().Format("2006-01-")},
		"another host":          {tlsOn(certs.OtherHost, false), trusting, "shows a certificate that is not for 127.0.0.1 but for broker.example; name the broker"},
		"no client certificate": {tlsOn(certs.Server, true), trusting, "wants a client certificate; give one with --tls-cert FILE and --tls-key FILE"},
		"TLS to a plain port":   {nil, trusting, "speaks without TLS, and TLS is on; leave out --tls"},
		"plain to a TLS port":   {tlsOn(certs.Server, false), kafka.Security{}, "speaks TLS, and TLS is off; turn it on with --tls, and name its CA with --tls-ca FILE unless"},
		"plain to a mTLS port":  {tlsOn(certs.Server, true), kafka.Security{}, "speaks TLS, and TLS is off; turn it on with --tls"},
		"wrong password":        {scram, login(kafka.ScramSHA256, "wrong"), "hangs up on the login with SCRAM-SHA-256, as for a wrong user or password; see --sasl-user and the password"},
		"another mechanism":     {scram, login(kafka.ScramSHA512, "s3cret"), "hangs up on the login with SCRAM-SHA-512, as for"},
		"no login":              {scram, kafka.Security{}, "wants a login; give --sasl-mechanism, --sasl-user, and the password in TODOCTL_SASL_PASSWORD or --sasl-password-file"},
		"no login, in TLS":      {append(tlsOn(certs.Server, false), scram...), trusting, "wants a login; give --sasl-mechanism"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, o := cluster(t, 1, tt.opts...)
			o.Security = tt.security
			err := kafka.Reach(t.Context(), client(t, o), 2*time.Second)
			var refused *kafka.AccessError
			if !errors.As(err, &refused) {
				t.Fatalf("error %v", err)
			}
			if want := "the Kafka broker at " + o.Brokers[0] + " "; !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q\nwant %q", err, tt.want)
			}
		})
	}
	_, o := cluster(t, 1, tlsOn(certs.Server, true)...)
	o.Security = withCert
	if err := kafka.Reach(t.Context(), client(t, o), 0); err != nil {
		t.Errorf("with a client certificate: %v", err)
	}
}

// What doesn't fit together is told before anything is dialed.
func TestSecurityCheck(t *testing.T) {
	f := makeCerts(t)
	cert, key := file(t, f, certs.ClientCert), file(t, f, certs.ClientKey)
	for want, security := range map[string]kafka.Security{
		"no SASL mechanism: one of plain, scram-sha-256, scram-sha-512": {User: "todo"},
		`SASL mechanism "gssapi": must be one of`:                       {Mechanism: "gssapi"},
		"SASL mechanism plain needs a user and a password":              {Mechanism: kafka.Plain, User: "todo"},
		"the CA holds no certificate in PEM form":                       {TLS: true, CA: []byte("x")},
		"a client certificate and its key go together":                  {TLS: true, Cert: cert},
		"client certificate: private key does not match public key":     {TLS: true, Cert: cert, Key: file(t, f, certs.OtherKey)},
		"client certificate: failed to find any PEM data":               {TLS: true, Cert: []byte("x"), Key: key},
	} {
		if _, err := kafka.NewClient(kafka.Options{Brokers: []string{"127.0.0.1:1"}, Security: security}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
