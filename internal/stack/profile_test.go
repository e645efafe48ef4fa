package stack

import (
	"io"
	"net"
	"testing"
)

// A server that listens and isn't ready is none; nor is one of another kind.
func TestProbe(t *testing.T) {
	for _, test := range []struct {
		name    string
		profile Profile
		says    string
		want    string // "" for an answer
	}{
		{"redis", Redis, "+PONG\r\n", ""},
		{"redis with a password", Redis, "-NOAUTH Authentication required.\r\n", ""},
		{"redis loads its data", Redis, "-LOADING Redis is loading the dataset in memory\r\n", "no redis that is ready: it says \"-LOADING"},
		{"rabbitmq", RabbitMQ, "\x01\x00\x00", ""},
		{"another AMQP", RabbitMQ, "AMQP\x03\x01\x00\x00", "no rabbitmq that is ready"},
		{"closes", RabbitMQ, "", "no rabbitmq that is ready"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = conn.Read(make([]byte, 8))
				_, _ = io.WriteString(conn, test.says)
			}()
			err = test.profile.Probe(t.Context(), l.Addr().String(), false)
			if test.want == "" && err != nil {
				t.Error(err)
			}
			if test.want != "" {
				wantError(t, err, test.want)
			}
		})
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	wantError(t, Redis.Probe(t.Context(), l.Addr().String(), true), "no redis answers at")
}
