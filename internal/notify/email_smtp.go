package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"slices"
	"time"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// deliver hands a message to the server on a connection of its own.
func (e *Email) deliver(ctx context.Context, message *mail.Msg) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // closes the connection, however this ends
	client, err := e.client(ctx)
	if err != nil {
		return err
	}
	session, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return err
	}
	if err := client.SendWithSMTPClient(session, message); err != nil && !message.IsDelivered() {
		return err
	}
	_ = client.CloseWithSMTPClient(session) // it has the message, whatever it makes of QUIT
	return nil
}

// client is a client for one message, whose connection ends with ctx: go-mail's own
// deadline begins only after the login.
func (e *Email) client(ctx context.Context) (*mail.Client, error) {
	options := []mail.Option{
		mail.WithPort(e.options.Port),
		mail.WithTLSConfig(e.tlsConfig()),
		mail.WithTLSPolicy(mail.NoTLS),
		mail.WithTimeout(time.Hour), // ctx ends sooner
		mail.WithoutNoop(),
		mail.WithDialContextFunc(func(dialing context.Context, _, _ string) (net.Conn, error) {
			conn, err := e.dial(dialing)
			if err == nil {
				context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		}),
	}
	if e.options.TLS == StartTLS {
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if e.options.Username != "" {
		options = append(options, mail.WithSMTPAuthCustom(&login{email: e}))
	}
	return mail.NewClient(e.options.Host, options...)
}

// judge makes an [Error] of a delivery that failed: what the server refuses with
// 5xx it refuses again.
func (e *Email) judge(ctx context.Context, err error) error {
	code := 0
	var answer *textproto.Error
	if errors.As(err, &answer) {
		code = answer.Code
	}
	var refusal *mail.SendError
	if errors.As(err, &refusal) {
		code = refusal.ErrorCode()
	}
	if code == 0 {
		err = inTime(ctx, err)
	}
	return &Error{Permanent: code >= 500, Err: fmt.Errorf("e-mail %s: %w", e.options.Host, err)}
}

// login is PLAIN, or LOGIN where the server has nothing else. go-mail's discovery
// takes a connection that it didn't secure itself for a plain one.
type login struct {
	smtp.Auth
	email *Email
}

// Start implements [smtp.Auth]. The mechanisms refuse to send a password without
// TLS to another machine.
func (l *login) Start(server *smtp.ServerInfo) (mechanism string, first []byte, err error) {
	o := l.email.options
	l.Auth = smtp.PlainAuth("", o.Username, o.Password.Reveal(), o.Host, false)
	if !slices.Contains(server.Auth, "PLAIN") && slices.Contains(server.Auth, "LOGIN") {
		l.Auth = smtp.LoginAuth(o.Username, o.Password.Reveal(), o.Host, false)
	}
	return l.Auth.Start(server)
}
