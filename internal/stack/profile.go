package stack

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"time"
)

// A Profile is a kind of broker behind the sidecar's pub/sub. The component of profile P
// is called pubsub-P, and its files stand in dapr-components/alternatives/P; those of
// Kafka are the default ones.
type Profile string

// The profiles.
const (
	Kafka    Profile = "kafka"
	Redis    Profile = "redis"
	RabbitMQ Profile = "rabbitmq"
	InMemory Profile = "in-memory" // no broker: events stay within one sidecar
)

// probeTimeout bounds a probe.
const probeTimeout = 2 * time.Second

// Probe asks whether a Redis or RabbitMQ at HOST:PORT takes commands, in the first words
// of its protocol: one that still loads its data listens already, and doesn't. It needs no
// password. tls is for a server whose first words can't be asked for without TLS: that it
// listens is enough then.
func (p Profile) Probe(ctx context.Context, addr string, tls bool) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return fmt.Errorf("no %s answers at %s: %w", p, addr, err)
	}
	defer conn.Close()
	if tls {
		return nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		_ = conn.SetDeadline(deadline) // a connection that is gone fails at once below
	}
	if err := p.hello(conn); err != nil {
		return fmt.Errorf("what answers at %s is no %s that is ready: %w", addr, p, err)
	}
	return nil
}

func (p Profile) hello(conn net.Conn) error {
	reader := bufio.NewReader(conn)
	if p == RabbitMQ {
		if _, err := conn.Write([]byte("AMQP\x00\x00\x09\x01")); err != nil {
			return err
		}
		first, err := reader.ReadByte()
		if err == nil && first != 1 { // of a method frame, connection.start
			err = fmt.Errorf("its first octet is %d", first)
		}
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := reader.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") && !strings.HasPrefix(line, "-NOAUTH") {
		err = fmt.Errorf("it says %q", strings.TrimSpace(line))
	}
	return err
}
