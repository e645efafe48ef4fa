package notify

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// specSecret, with the other values in TestSign, is the vector that the reference
// libraries of Standard Webhooks are tested with.
const specSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

const otherSecret = "whsec_YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh"

func fixedNow() time.Time { return noon.Add(time.Minute) }

func TestSign(t *testing.T) {
	const want = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
	sign := func(secrets string) string {
		s, err := newSigner(secrets)
		if err != nil {
			t.Fatal(err)
		}
		return s.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	}
	if got := sign(specSecret); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	if got := sign(specSecret + "\n" + otherSecret + "\n"); got != want+" "+sign(otherSecret) {
		t.Errorf("while secrets change: %s", got)
	}
}

func TestSecretsOfWebhooks(t *testing.T) {
	encoded := func(n int) string { return "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, n)) }
	for _, good := range []string{encoded(24), encoded(64), encoded(24) + " " + encoded(32)} {
		if _, err := newSigner(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", " \n", encoded(23), encoded(65), "whsec_", "whsec_%%%", strings.TrimPrefix(specSecret, "whsec_"), specSecret + " x"} {
		if _, err := newSigner(bad); err == nil || strings.Contains(err.Error(), "MfKQ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// receiver is a TLS server on loopback and a webhook that is allowed to reach it.
func receiver(t *testing.T, handler http.HandlerFunc, networks ...string) (*Webhook, *httptest.Server) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of certificates that the test has refused
	server.StartTLS()
	t.Cleanup(server.Close)
	return webhook(t, server.URL+"/hooks/token", server, networks...), server
}

func webhook(t *testing.T, url string, server *httptest.Server, networks ...string) *Webhook {
	t.Helper()
	o := WebhookOptions{URL: NewSecret(url), Secrets: NewSecret(specSecret + " " + otherSecret), AllowHTTP: true, Now: fixedNow}
	for _, network := range networks {
		o.AllowNetworks = append(o.AllowNetworks, netip.MustParsePrefix(network))
	}
	hook, err := NewWebhook(o)
	if err != nil {
		t.Fatal(err)
	}
	if server != nil && server.Certificate() != nil {
		pool := x509.NewCertPool()
		pool.AddCert(server.Certificate())
		hook.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = pool
	}
	return hook
}

// verify does what the specification asks of a receiver who has one secret.
func verify(header http.Header, body []byte, secret string) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", header.Get("Webhook-Id"), header.Get("Webhook-Timestamp"), body)
	for signature := range strings.SplitSeq(header.Get("Webhook-Signature"), " ") {
		encoded, ok := strings.CutPrefix(signature, "v1,")
		sum, err := base64.StdEncoding.DecodeString(encoded)
		if ok && err == nil && hmac.Equal(sum, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature matches")
}

func TestWebhookDelivers(t *testing.T) {
	var header http.Header
	var body []byte
	hook, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		body, _ = io.ReadAll(r.Body)
		if r.Method != http.MethodPost || r.URL.Path != "/hooks/token" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		w.WriteHeader(http.StatusNoContent)
	}, "127.0.0.0/8")
	if err := hook.Send(t.Context(), groceries()); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{specSecret, otherSecret} {
		if err := verify(header, body, secret); err != nil {
			t.Error(err)
		}
	}
	if err := verify(header, append(body, ' '), specSecret); err == nil {
		t.Error("another body has the same signature")
	}
	got := [...]string{header.Get("webhook-id"), header.Get("webhook-timestamp"), header.Get("Content-Type")}
	if diff := cmp.Diff([...]string{groceries().ID, "1771329660", "application/json"}, got); diff != "" {
		t.Error(diff)
	}
	if want, _ := groceries().json(); string(body) != string(want) {
		t.Errorf("body %s", body)
	}
}

func TestWebhookAnswers(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter string
		permanent  bool
		wait       time.Duration
	}{
		{400, "", true, 0}, {401, "", true, 0}, {404, "", true, 0}, {410, "", true, 0}, {422, "", true, 0}, {499, "", true, 0},
		{408, "", false, 0}, {409, "", false, 0}, {425, "", false, 0}, {429, "7", false, 7 * time.Second},
		{301, "", false, 0}, {304, "", false, 0}, {500, "", false, 0}, {502, "", false, 0}, {599, "", false, 0},
		{503, "Tue, 17 Feb 2026 12:01:30 GMT", false, 30 * time.Second},
		{503, "Tue, 17 Feb 2026 11:00:00 GMT", false, 0},
		{503, "1e3", false, 0}, {503, "-5", false, 0}, {503, "999999999", false, 24 * time.Hour},
		{503, "99999999999999999999", false, 0}, {503, "Tue, 17 Feb 2099 12:00:00 GMT", false, 24 * time.Hour},
	} {
		hook, _ := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", c.retryAfter)
			w.WriteHeader(c.status)
			if c.status != http.StatusNotModified {
				fmt.Fprintf(w, "nothing at %s", r.URL)
			}
		}, "127.0.0.0/8")
		err := hook.Send(t.Context(), groceries())
		if err == nil || IsPermanent(err) != c.permanent || RetryAfter(err) != c.wait {
			t.Errorf("%d %q: %v (permanent %v, after %v), want permanent %v, after %v",
				c.status, c.retryAfter, err, IsPermanent(err), RetryAfter(err), c.permanent, c.wait)
		} else if !strings.Contains(err.Error(), fmt.Sprint("answered ", c.status)) || strings.Contains(err.Error(), "token") {
			t.Errorf("%d: %v", c.status, err)
		}
	}
}

func TestWebhookFollowsNoRedirect(t *testing.T) {
	reached := false
	hook, server := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			reached = true
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}, "127.0.0.0/8")
	if err := hook.Send(t.Context(), groceries()); err == nil || !strings.Contains(err.Error(), "a redirect, which is not followed") {
		t.Error(err)
	}
	if server.Close(); reached {
		t.Error("the redirect was followed")
	}
}

// TestWebhookEnds has receivers that hold on to a request in every way they can.
func TestWebhookEnds(t *testing.T) {
	for _, c := range []struct {
		name, answer string // what is written, over and over from the "|" on
		want         string
	}{
		{"silence", "", "no answer in time"},
		{"half a status line", "HTTP/1.1 2", "no answer in time"},
		{"headers without end", "HTTP/1.1 200 OK\r\n|X-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "exceeded 65536 bytes"},
		{"early hints without end", "|HTTP/1.1 103 Early Hints\r\n\r\n", "exceeded 65536 bytes"},
		{"a body without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n|4\r\naaaa\r\n", ""},
		{"a refusal without end", "HTTP/1.1 404 Not Found\r\n\r\n|a", "answered 404 Not Found"},
		{"no HTTP", "SSH-2.0-OpenSSH_9.6\r\n", "malformed HTTP"},
		{"an upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "answered 101"},
	} {
		t.Run(c.name, func(t *testing.T) {
			first, rest, _ := strings.Cut(c.answer, "|")
			address := rawServer(t, func(conn net.Conn) {
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
					return
				}
				_, err := io.WriteString(conn, first)
				for err == nil && rest != "" {
					_, err = io.WriteString(conn, rest)
				}
				_, _ = io.Copy(io.Discard, conn)
			})
			hook := webhook(t, "http://"+address+"/hooks/token", nil, "127.0.0.0/8")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if c.want == "no answer in time" {
				ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
			}
			defer cancel()
			err := hook.Send(ctx, groceries())
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil && (ctx.Err() != nil) != (c.want == "no answer in time") {
				t.Errorf("the time was up: %v", ctx.Err())
			}
		})
	}
}

// rawServer serves every connection with serve, then closes it; the test waits for
// all of them.
func rawServer(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-done
	})
	return listener.Addr().String()
}

func TestWebhookVerifiesCertificates(t *testing.T) {
	hook, _ := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("reached") }, "127.0.0.0/8")
	hook.client.Transport.(*http.Transport).TLSClientConfig.RootCAs = nil
	err := hook.Send(t.Context(), groceries())
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || IsPermanent(err) {
		t.Errorf("a certificate of nobody's: %v", err)
	}
}

// TestWebhookRefusesAddressesOfNames lets a name resolve to what is not public: the
// guard looks at what is connected to, so a name that changes gains nothing.
func TestWebhookRefusesAddressesOfNames(t *testing.T) {
	contacted := rawServer(t, func(net.Conn) { t.Error("a connection was made") })
	_, port, _ := net.SplitHostPort(contacted)
	for _, addr := range []string{"127.0.0.1", "10.0.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "::1", "::ffff:127.0.0.1", "fd00:ec2::254", "fe80::1", "64:ff9b::7f00:1"} {
		hook := webhook(t, "http://hook.test:"+port+"/hooks/token", nil)
		hook.dialer.Resolver = resolver(t, netip.MustParseAddr(addr))
		err := hook.Send(t.Context(), groceries())
		if !errors.Is(err, errForbidden) || !IsPermanent(err) || strings.Contains(err.Error(), "token") {
			t.Errorf("a name for %s: %v", addr, err)
		}
	}
}

// TestWebhookUsesNoProxy runs itself again with proxies that nobody is at: package
// http reads the environment once. The receiver has a name, for package http asks no
// proxy for loopback addresses.
func TestWebhookUsesNoProxy(t *testing.T) {
	const proxy = "http://127.0.0.1:1"
	if os.Getenv("HTTPS_PROXY") != proxy {
		again := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		again.Env = append(os.Environ(), "HTTP_PROXY="+proxy, "HTTPS_PROXY="+proxy, "NO_PROXY=", "no_proxy=")
		if out, err := again.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	_, server := receiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, "127.0.0.0/8")
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	hook := webhook(t, "https://example.com:"+port, server, "127.0.0.0/8") // httptest's certificate is for example.com too
	hook.dialer.Resolver = resolver(t, netip.MustParseAddr("127.0.0.1"))
	if err := hook.Send(t.Context(), groceries()); err != nil {
		t.Error(err)
	}
}

func TestWebhookUnreachable(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	hook := webhook(t, "http://"+listener.Addr().String()+"/hooks/token", nil, "127.0.0.0/8")
	if err := hook.Send(t.Context(), groceries()); err == nil || IsPermanent(err) || strings.Contains(err.Error(), "token") {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestWebhookOptions(t *testing.T) {
	for _, url := range []string{
		"http://example.com/", "ftp://example.com/", "example.com", "", "https://", "https:///x", "https:example.com",
		"https://u:p@example.com/", "https://token@example.com/", "https://example.com/#token", "https://example.com:0/", "https://example.com:65536/",
		"https://example.com:a/", "https://exa mple.com/", "https://127.0.0.1/", "https://[::1]/", "https://[fe80::1%25eth0]/",
		"https://10.0.0.1:8443/", "https://[::ffff:169.254.169.254]/token", "https://%31%32%37.0.0.1/",
	} {
		_, err := NewWebhook(WebhookOptions{URL: NewSecret(url), Secrets: NewSecret(specSecret), Now: fixedNow})
		if err == nil || !strings.HasPrefix(err.Error(), "url: ") || strings.Contains(err.Error(), "token") {
			t.Errorf("%q: %v", url, err)
		}
	}
	_, err := NewWebhook(WebhookOptions{URL: NewSecret("https://example.com/"), Secrets: NewSecret("hunter2"), Now: fixedNow})
	if err == nil || !strings.HasPrefix(err.Error(), "secret: ") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	hook := webhook(t, "https://example.com/hooks/token", nil)
	secret := NewSecret("hunter2")
	nested := struct {
		Open   Secret
		hidden Secret
	}{secret, secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed := fmt.Sprintf(verb+verb+verb, secret, nested, *hook)
		for _, text := range []string{"hunter2", "68756e74657232", "hooks/token", "MfKQ", "[50 242 144"} {
			if strings.Contains(printed, text) {
				t.Errorf("%s prints %s: %s", verb, text, printed)
			}
		}
	}
	if text, _ := secret.MarshalText(); secret.String()+secret.LogValue().String()+string(text) != strings.Repeat(masked, 3) {
		t.Errorf("%s, %s, %s", secret.String(), secret.LogValue(), text)
	}
	if !slices.Equal([]string{secret.Reveal(), Secret{}.Reveal()}, []string{"hunter2", ""}) {
		t.Error("a secret isn't what it was made of")
	}
}
