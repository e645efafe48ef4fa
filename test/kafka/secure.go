package kafka

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/todoctl/todoctl/test/certs"
)

// The user of every SASL listener, for all mechanisms.
const (
	User     = "todo"
	Password = "a-secret.of/todo+="
)

// A listener is one more way into a secured node.
type listener struct {
	name, protocol, cert string
	mutual               bool
}

func listeners() []listener {
	return []listener{
		{"TLS", "SSL", certs.Server, false},
		{"MTLS", "SSL", certs.Server, true},
		{"EXPIRED", "SSL", certs.Expired, false},
		{"OTHERHOST", "SSL", certs.OtherHost, false},
		{"SASLTLS", "SASL_SSL", certs.Server, false},
		{"SASLPLAIN", "SASL_PLAINTEXT", "", false},
		{"SCRAM512", "SASL_PLAINTEXT", "", false}, // takes SCRAM-SHA-512 only
	}
}

// StartSecured starts one node as Start does, with a listener for each way in beside
// the plain one: TLS, MTLS (wants a client certificate of the CA), EXPIRED and OTHERHOST
// (with such certificates), SASLTLS, SASLPLAIN (both take PLAIN, SCRAM-SHA-256 and
// SCRAM-SHA-512) and SCRAM512. The certificates are those of the folder.
func StartSecured(ctx context.Context, folder certs.Folder, progress io.Writer) (*Cluster, error) {
	return launch(ctx, 1, folder, progress)
}

// Address is that of a listener of a secured node.
func (c *Cluster) Address(listener string) string { return c.secured[listener] }

// secure appends the further listeners to a node's settings.
func (c *Cluster) secure(ctx context.Context, folder certs.Folder, settings string) (string, error) {
	all := listeners()
	ports, err := freePorts(ctx, len(all))
	if err != nil {
		return "", err
	}
	c.secured = make(map[string]string)
	var names, more []string
	protocols := []string{"PLAINTEXT:PLAINTEXT", "CONTROLLER:PLAINTEXT"}
	for i, l := range all {
		c.secured[l.name] = ports[i]
		names = append(names, l.name+"://"+ports[i])
		protocols = append(protocols, l.name+":"+l.protocol)
		more = append(more, l.settings(folder)...)
	}
	added := "," + strings.Join(names, ",")
	lines := strings.Split(settings, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "listeners=") || strings.HasPrefix(line, "advertised.listeners=") {
			lines[i] += added
		}
	}
	more = append(more, "listener.security.protocol.map="+strings.Join(protocols, ","), "inter.broker.listener.name=PLAINTEXT")
	return strings.Join(append(lines, more...), "\n") + "\n", nil
}

func (l listener) settings(folder certs.Folder) []string {
	prefix := "listener.name." + strings.ToLower(l.name) + "."
	var lines []string
	if l.cert != "" {
		lines = append(lines, prefix+"ssl.keystore.type=PEM", prefix+"ssl.keystore.location="+folder.Path(l.cert),
			prefix+"ssl.truststore.type=PEM", prefix+"ssl.truststore.location="+folder.Path(certs.CA))
	}
	if l.mutual {
		lines = append(lines, prefix+"ssl.client.auth=required")
	}
	if !strings.HasPrefix(l.protocol, "SASL") {
		return lines
	}
	mechanisms := []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}
	if l.name == "SCRAM512" {
		mechanisms = mechanisms[2:]
	}
	lines = append(lines, prefix+"sasl.enabled.mechanisms="+strings.Join(mechanisms, ","))
	for _, m := range mechanisms {
		module := "org.apache.kafka.common.security.scram.ScramLoginModule required;"
		if m == "PLAIN" {
			module = fmt.Sprintf("org.apache.kafka.common.security.plain.PlainLoginModule required user_%s=%q;", User, Password)
		}
		lines = append(lines, prefix+strings.ToLower(m)+".sasl.jaas.config="+module)
	}
	return lines
}

// scramUsers are the arguments of the storage tool that make the user.
func scramUsers() []string {
	var args []string
	for _, m := range []string{"SCRAM-SHA-256", "SCRAM-SHA-512"} {
		args = append(args, "--add-scram", fmt.Sprintf("%s=[name=%s,password=%q]", m, User, Password))
	}
	return args
}
