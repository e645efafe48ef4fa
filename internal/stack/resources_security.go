package stack

import (
	"errors"

	"go.yaml.in/yaml/v3"

	"github.com/todoctl/todoctl/internal/kafka"
)

// The variables that hand secrets to the sidecar. Dapr refuses those that begin with
// DAPR_.
const (
	passwordVariable = "TODOCTL_SASL_PASSWORD"
	keyVariable      = "TODOCTL_TLS_KEY_PEM"
)

// SecurityEnv returns the variables, as NAME=VALUE, from which the components that
// WriteResources has written take their secrets.
func SecurityEnv(s kafka.Security) []string {
	var env []string
	if s.Mechanism != "" {
		env = append(env, passwordVariable+"="+s.Password)
	}
	if s.TLS && len(s.Key) > 0 {
		env = append(env, keyVariable+"="+string(s.Key))
	}
	return env
}

// checkDapr refuses what Dapr's pubsub.kafka has no words for. Without a CA of its own
// it has the system's only beside a password; with a client certificate and no CA it
// panics (components-contrib 1.18, common/component/kafka/auth.go).
func checkDapr(s kafka.Security) error {
	switch {
	case s.TLS && len(s.Cert) > 0 && s.Mechanism != "":
		return errors.New("a Dapr sidecar can't both show a client certificate and log in with a password: give --tls-cert or --sasl-mechanism, or publish without the sidecar (--publisher kafka)")
	case s.TLS && s.Mechanism == "" && len(s.CA) == 0:
		return errors.New("a Dapr sidecar needs the brokers' CA where there is no password: name it with --tls-ca FILE")
	}
	return nil
}

// setSecurity replaces all that a component says of TLS and login.
func setSecurity(document *yaml.Node, s kafka.Security) {
	for _, name := range []string{"authRequired", "saslUsername", "saslPassword", "saslMechanism", "caCert", "clientCert", "clientKey", "disableTls", "skipVerify"} {
		dropMetadata(document, name)
	}
	value := func(name, text string) { setMetadata(document, name, "value", text) }
	switch {
	case s.Mechanism != "":
		value("authType", "password")
		value("saslUsername", s.User)
		setMetadata(document, "saslPassword", "envRef", passwordVariable)
		value("saslMechanism", daprMechanism(s.Mechanism))
	case len(s.Cert) > 0:
		value("authType", "mtls")
		value("clientCert", string(s.Cert))
		setMetadata(document, "clientKey", "envRef", keyVariable)
	default:
		value("authType", "certificate")
	}
	if !s.TLS {
		value("disableTls", "true")
	} else if len(s.CA) > 0 {
		value("caCert", string(s.CA))
	}
}

// daprMechanism is Dapr's word for a mechanism; it takes any that it doesn't know for
// PLAIN.
func daprMechanism(mechanism string) string {
	switch mechanism {
	case kafka.ScramSHA256:
		return "SHA-256"
	case kafka.ScramSHA512:
		return "SHA-512"
	default:
		return "PLAINTEXT"
	}
}
