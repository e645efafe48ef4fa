package notify

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"
)

func TestEmailDelivers(t *testing.T) {
	for _, c := range []struct {
		how    string
		logins []string
		want   []string
	}{
		{StartTLS, []string{"PLAIN", "LOGIN"}, []string{"PLAIN todo hunter2"}},
		{ImplicitTLS, []string{"PLAIN"}, []string{"PLAIN todo hunter2"}},
		{StartTLS, []string{"LOGIN"}, []string{"LOGIN todo hunter2"}},
		{ImplicitTLS, []string{"CRAM-MD5", "LOGIN"}, []string{"LOGIN todo hunter2"}},
		{NoTLS, []string{"PLAIN"}, []string{"PLAIN todo hunter2"}}, // this machine
		{NoTLS, nil, nil},
		{StartTLS, nil, nil},
	} {
		t.Run(c.how+strings.Join(c.logins, ""), func(t *testing.T) {
			server := newMailServer(t, c.how, c.logins...)
			e := server.email(t, c.how)
			for range 2 {
				if err := e.Send(t.Context(), groceries()); err != nil {
					t.Fatal(err)
				}
			}
			messages, passwords := server.got()
			if diff := cmp.Diff(slices.Concat(c.want, c.want), passwords); diff != "" {
				t.Error(diff)
			}
			if len(messages) != 2 || messages[0].encrypted != (c.how != NoTLS) {
				t.Fatalf("%+v", messages)
			}
			first, again := messages[0], messages[1]
			if id := first.header.Get("Message-Id"); id != "<"+groceries().ID+"@example.com>" || id != again.header.Get("Message-Id") {
				t.Errorf("Message-ID %s, then %s", id, again.header.Get("Message-Id"))
			}
			if first.from != "todo@example.com" || first.to != "u1@example.org" || first.header.Get("To") != "<u1@example.org>" {
				t.Errorf("from %s to %s: %v", first.from, first.to, first.header)
			}
			if body := strings.ReplaceAll(first.body, "\r\n", "\n"); strings.TrimSpace(body) != groceries().Text() {
				t.Errorf("body %q", body)
			}
		})
	}
}

// TestEmailTitles has titles that would be headers, other recipients, the end of
// the message or bytes that no header may have.
func TestEmailTitles(t *testing.T) {
	server := newMailServer(t, NoTLS)
	e := server.email(t, NoTLS)
	for i, title := range []string{
		"Grüße 🎉 買い物", strings.Repeat("ü", 200), strings.Repeat("long words ", 30), "=?utf-8?q?forged?=", "dots\r\n.\r\nMAIL FROM:<eve@example.com>",
		"a\r\nBcc: eve@example.com\r\n\r\nbody", "a\nX-Evil: 1", "a\rX-Evil: 1", "a\x00\x0b\x0c\u0085\u2028X-Evil: 1", "bad \xff\xfe bytes", "",
	} {
		n := groceries()
		n.ID, n.Title = fmt.Sprintf("id.%d\r\nX-Evil: 1", i), title
		if err := e.Send(t.Context(), n); err != nil {
			t.Fatalf("%q: %v", title, err)
		}
		messages, _ := server.got()
		last := messages[len(messages)-1]
		wantHeader := []string{"Auto-Submitted", "Content-Transfer-Encoding", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Subject", "To"}
		if diff := cmp.Diff(wantHeader, slices.Sorted(maps.Keys(last.header))); diff != "" {
			t.Errorf("%q: %s", title, diff)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(last.header.Get("Subject"))
		if err != nil {
			t.Errorf("%q: %v", title, err)
		}
		if title != "=?utf-8?q?forged?=" && subject != strings.TrimSpace(n.Subject()) {
			t.Errorf("%q: subject %q, want %q", title, subject, n.Subject())
		}
		body, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(last.body)))
		if text := strings.ReplaceAll(string(body), "\r\n", "\n"); err != nil || strings.TrimSpace(text) != n.Text() {
			t.Errorf("%q: body %q, %v", title, text, err)
		}
		if len(messages) != i+1 || last.to != "u1@example.org" || last.header.Get("Message-Id") != "<"+n.key()+"@example.com>" {
			t.Errorf("%q: %d messages, to %s, %v", title, len(messages), last.to, last.header)
		}
	}
}

func TestEmailRefusals(t *testing.T) {
	for _, step := range []string{"connect", "auth", "mail", "rcpt", "data"} {
		for _, code := range []int{421, 450, 454, 500, 535, 550, 554} {
			server := newMailServer(t, StartTLS, "PLAIN")
			server.refuse[step] = &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 7, 1}, Message: "no thanks"}
			err := server.email(t, StartTLS).Send(t.Context(), groceries())
			if err == nil || IsPermanent(err) != (code >= 500) || !strings.Contains(err.Error(), fmt.Sprint(code)) {
				t.Errorf("%s %d: %v (permanent %v)", step, code, err, IsPermanent(err))
				continue
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s %d: %q", step, code, err)
			}
			if messages, _ := server.got(); len(messages) != 0 {
				t.Errorf("%s %d: delivered", step, code)
			}
		}
	}
}

// TestEmailEnds has servers that hang or close at each step. Once the message is
// taken it is delivered, whatever the server does then.
func TestEmailEnds(t *testing.T) {
	for _, step := range []string{"greeting", "EHLO", "MAIL", "RCPT", "DATA", ".", "RSET", "QUIT"} {
		for _, what := range []string{"hang", "close"} {
			t.Run(step+" "+what, func(t *testing.T) {
				server, _ := scriptedMailServer(t, map[string]string{step: what, "HELO": what})
				wait := 10 * time.Second
				if what == "hang" {
					wait = 100 * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), wait)
				defer cancel()
				err := server.email(t, NoTLS).Send(ctx, groceries())
				if taken := step == "RSET" || step == "QUIT"; taken {
					if err != nil {
						t.Errorf("the server had taken it: %v", err)
					}
					return
				}
				if err == nil || IsPermanent(err) || strings.Contains(err.Error(), "no answer in time") != (what == "hang") {
					t.Errorf("%v (permanent %v)", err, IsPermanent(err))
				}
			})
		}
	}
}

func TestEmailOddServers(t *testing.T) {
	for _, c := range []struct {
		greeting  string
		permanent bool
	}{{"HTTP/1.1 400 Bad Request", false}, {"554 go away", true}, {"421 later", false}, {"220", false}, {"999 what", true}} {
		server, _ := scriptedMailServer(t, map[string]string{"greeting": c.greeting, "MAIL": "close"})
		err := server.email(t, NoTLS).Send(t.Context(), groceries())
		if err == nil || IsPermanent(err) != c.permanent {
			t.Errorf("%s: %v (permanent %v)", c.greeting, err, IsPermanent(err))
		}
	}
}

// TestEmailErrorsAreOneLine has a server that answers in lines, with an escape.
func TestEmailErrorsAreOneLine(t *testing.T) {
	server, _ := scriptedMailServer(t, map[string]string{"MAIL": "550-5.7.1 not\r\n550 5.7.1 \x1b[31myou"})
	err := server.email(t, NoTLS).Send(t.Context(), groceries())
	if err == nil || !IsPermanent(err) || !strings.Contains(err.Error(), "5.7.1 not") || strings.ContainsAny(err.Error(), "\r\n\x1b") {
		t.Errorf("%q", err)
	}
}

// TestEmailNeedsTLS has a server between that hides STARTTLS, and one with a
// certificate of its own: neither sees the password or the message.
func TestEmailNeedsTLS(t *testing.T) {
	server, commands := scriptedMailServer(t, map[string]string{"EHLO": "250-scripted\r\n250 AUTH PLAIN LOGIN"})
	server.logins = []string{"PLAIN"}
	err := server.email(t, StartTLS).Send(t.Context(), groceries())
	if err == nil || IsPermanent(err) || !strings.Contains(err.Error(), "STARTTLS") {
		t.Errorf("without STARTTLS: %v", err)
	}
	if slices.Contains(*commands, "AUTH") || slices.Contains(*commands, "MAIL") {
		t.Errorf("without STARTTLS it heard %v", *commands)
	}
	for _, how := range []string{StartTLS, ImplicitTLS} {
		strange := newMailServer(t, how, "PLAIN")
		e := strange.email(t, how)
		e.roots = nil
		var unknown x509.UnknownAuthorityError
		if err := e.Send(t.Context(), groceries()); !errors.As(err, &unknown) || IsPermanent(err) {
			t.Errorf("%s with a certificate of nobody's: %v", how, err)
		}
		if messages, passwords := strange.got(); len(messages)+len(passwords) > 0 {
			t.Errorf("%s with a certificate of nobody's: it has %v, %v", how, messages, passwords)
		}
	}
}

func TestEmailOptions(t *testing.T) {
	good := EmailOptions{Host: "mail.example.com", From: "Todo <todo@example.com>", To: "u1@example.org", Now: fixedNow}
	for _, c := range []struct {
		change func(*EmailOptions)
		want   string
	}{
		{func(*EmailOptions) {}, ""},
		{func(o *EmailOptions) { o.TLS, o.Username, o.Password = ImplicitTLS, "u", NewSecret("hunter2") }, ""},
		{func(o *EmailOptions) { o.Host, o.TLS, o.Username, o.Password = "::1", NoTLS, "u", NewSecret("hunter2") }, ""},
		{func(o *EmailOptions) { o.TLS, o.Username, o.Password = NoTLS, "u", NewSecret("hunter2") }, "tls: "},
		{func(o *EmailOptions) { o.TLS = "ssl" }, "tls: "},
		{func(o *EmailOptions) { o.Host = "" }, "host: "},
		{func(o *EmailOptions) { o.Host = "unix:///run/mail" }, "host: "},
		{func(o *EmailOptions) { o.Host = "mail example" }, "host: "},
		{func(o *EmailOptions) { o.Port = 65536 }, "port: "},
		{func(o *EmailOptions) { o.Port = -1 }, "port: "},
		{func(o *EmailOptions) { o.Username = "u" }, "username: "},
		{func(o *EmailOptions) { o.Password = NewSecret("hunter2") }, "username: "},
		{func(o *EmailOptions) { o.From = "" }, "from: "},
		{func(o *EmailOptions) { o.From = "todo" }, "from: "},
		{func(o *EmailOptions) { o.From = "a@example.com, b@example.com" }, "from: "},
		{func(o *EmailOptions) { o.To = "" }, "to: "},
		{func(o *EmailOptions) { o.To = "a@example.com\r\nRCPT TO:<b@example.com>" }, "to: "},
		{func(o *EmailOptions) { o.To = "a@bücher.example" }, "to: "},
	} {
		o := good
		c.change(&o)
		_, err := NewEmail(o)
		if (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", o, err, c.want)
		}
	}
}
