package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/todoctl/todoctl/internal/kafka"
	"github.com/todoctl/todoctl/internal/stack"
)

// brokerChecks are the checks of the broker.
func (s *subject) brokerChecks() []Check {
	return []Check{
		{
			ID: "broker.tls", Severity: Error, Title: "component and broker agree on TLS",
			Symptom: "`first record does not look like a TLS handshake`, or `EOF`, and daprd ends", Cause: "every authType but none turns TLS on, unless disableTls is true",
			Mend: `add disableTls: "true", or turn TLS on at the broker`, Run: s.checkTLS,
		},
		{
			ID: "broker.reach", Severity: Error, Title: "a broker answers",
			Symptom: "`client has run out of available brokers`, and daprd ends", Cause: "the broker isn't running, or listens elsewhere",
			Mend: "todoctl dev, or todoctl up", After: []string{"environment.running", "environment.docker", "environment.aio", "environment.ports", "files.placeholder", "broker.tls"}, Run: s.checkReach,
		},
		{
			ID: "broker.advertised", Severity: Error, Title: "the addresses that the broker advertises can be reached",
			Symptom: "the first contact works, then `lookup redpanda: no such host` or `dial tcp 127.0.0.1:9092: connection refused`", Cause: "the broker tells its clients an address that doesn't lead to it from here",
			Mend: "advertise one address for each network: --advertise-kafka-addr=internal://redpanda:9092,external://localhost:19092", Needs: []string{"broker.reach"}, Run: s.checkAdvertised,
		},
	}
}

func (s *subject) checkReach(context.Context) Result {
	err := s.broker()
	if err == nil {
		return Result{}
	}
	if !s.runs() && !s.BrokersFrom.Chosen && (s.nothing() || s.Foreign) {
		return skipped(nothingRuns)
	}
	if s.embedded() {
		return skipped(fmt.Sprintf("the todoctl that runs the broker (pid %d) doesn't answer", s.run.PID))
	}
	reason := err.Error()
	var refused *kafka.AccessError
	if errors.As(err, &refused) {
		return found(Finding{
			Message: fmt.Sprintf("The Kafka broker at %s %s.", refused.Broker, refused.Reason), Mend: refused.Mend,
			Evidence: facts("address", refused.Broker, "from", s.BrokersFrom.Source, "error", refused.Err.Error()),
		})
	}
	var unreachable *kafka.UnreachableError
	if errors.As(err, &unreachable) {
		reason, _, _ = strings.Cut(reason, "; start one")
	}
	f := Finding{
		Message:  strings.ToUpper(reason[:1]) + reason[1:] + ".",
		Evidence: facts("address", strings.Join(s.brokers(), ", "), "from", s.BrokersFrom.Source),
	}
	if s.Other != "" {
		f.Mend = "start it, or say where it is: --redis-addr, RABBITMQ_URL"
	}
	return found(f)
}

// embedded tells whether the broker is one in a todoctl whose task API is silent, too:
// that it hangs is environment.api's finding.
func (s *subject) embedded() bool {
	_, text, err := net.SplitHostPort(s.brokers()[0])
	port, numberErr := strconv.Atoi(text)
	if err != nil || numberErr != nil || !s.runs() || s.api() {
		return false
	}
	pid, _ := stack.PortHolder(port)
	return pid != 0 && pid == s.run.PID
}

func (s *subject) checkAdvertised(ctx context.Context) Result {
	if s.Other != "" {
		return beside() // and with it what asks Kafka
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{}
	seed := s.client.SeedBrokers()[0]
	for _, b := range s.client.SeedBrokers() {
		if _, err := b.Request(ctx, kmsg.NewPtrApiVersionsRequest()); err == nil {
			seed = b
			break
		}
	}
	kresp, err := seed.Request(ctx, req)
	if err != nil {
		return skipped("the broker tells no addresses: " + err.Error())
	}
	var r Result
	for _, b := range kresp.(*kmsg.MetadataResponse).Brokers {
		addr := net.JoinHostPort(b.Host, strconv.Itoa(int(b.Port)))
		if err := dial(ctx, addr); err != nil {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Broker %d answers at %s and tells its clients to come to %s, which can't be reached from here: %s.", b.NodeID, strings.Join(s.brokers(), ", "), addr, dialWords(err)),
				Evidence: facts("asked", strings.Join(s.brokers(), ", "), "advertised", addr, "error", dialWords(err), "wanted", s.brokers()[0]),
			})
		}
	}
	return r
}

// dial opens and closes a connection.
func dial(ctx context.Context, addr string) error {
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	return conn.Close()
}

func dialWords(err error) string {
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Sprintf("no such host %q", dns.Name)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return err.Error()
}

// checkTLS tries TLS where a component would, or where it wouldn't.
func (s *subject) checkTLS(ctx context.Context) Result {
	if s.Other != "" || (s.BrokersFrom.Chosen && !s.Foreign && len(s.kafkas()) == 0) {
		return beside()
	}
	if s.Security.On() && !s.Foreign {
		return beside() // broker.reach tells: what the components say is replaced
	}
	var r Result
	for _, c := range s.kafkas() {
		auth, off := c.auth(), isTrue(c.value("disableTls"))
		if auth == "" || isPlaceholder(auth) {
			continue
		}
		addr, wants := s.brokers()[0], auth != "none" && !off
		if !wants && s.broker() == nil {
			continue
		}
		speaks, err := kafka.SpeaksTLS(ctx, addr)
		if err != nil || speaks == wants {
			continue
		}
		i, _ := c.item("authType")
		f := Finding{
			Message:  fmt.Sprintf("Component %s turns TLS on (authType %s), and the broker at %s speaks without.", quoted(c.name), auth, addr),
			Evidence: facts("at", c.at(i.node), "address", addr, "found", "authType "+auth, "wanted", `disableTls: "true", or authType: "none"`),
		}
		if speaks {
			f.Message = fmt.Sprintf("The broker at %s speaks TLS, and component %s doesn't.", addr, quoted(c.name))
			f.Evidence = facts("at", c.at(i.node), "address", addr, "found", "authType "+auth, "wanted", "authType with TLS, such as certificate or password")
			f.Mend = "set authType, and take disableTls away"
		} else if _, ok := c.item("disableTls"); !ok {
			f.Fix = s.addItem(c, "disableTls", "true")
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}
