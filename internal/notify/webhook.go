package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"
)

// WebhookOptions say where a Webhook posts to.
type WebhookOptions struct {
	URL           Secret         // https; its path may hold a token, so it is never printed
	Secrets       Secret         // one or more "whsec_…", separated by white space
	AllowHTTP     bool           // http as well
	AllowNetworks []netip.Prefix // in addition to public addresses
	Now           func() time.Time
}

// A Webhook posts notifications to a URL as Standard Webhooks 1.0.0 has it:
// webhook-id is the notification's ID, webhook-timestamp the time of the attempt.
// It connects to no address but public ones and those allowed, verifies the
// receiver's certificate, follows no redirects and asks no proxy.
type Webhook struct {
	url    Secret
	host   string // to name it in errors
	signer *signer
	now    func() time.Time
	client *http.Client
	dialer *net.Dialer
}

// NewWebhook checks the options; its errors begin with the option at fault and show
// no secret.
func NewWebhook(o WebhookOptions) (*Webhook, error) {
	guard := guard{allowed: o.AllowNetworks}
	target, err := parseTarget(o.URL.Reveal(), o.AllowHTTP, guard)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	signer, err := newSigner(o.Secrets.Reveal())
	if err != nil {
		return nil, fmt.Errorf("secret: %w", err)
	}
	w := &Webhook{
		url: o.URL, host: target.Host, signer: signer, now: o.Now,
		dialer: &net.Dialer{Control: guard.control},
	}
	w.client = &http.Client{
		Transport: &http.Transport{
			DialContext:            w.dialer.DialContext,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			DisableKeepAlives:      true, // reminders are rare
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return w, nil
}

// parseTarget reads the URL of a webhook. Its errors don't show the URL.
func parseTarget(text string, allowHTTP bool, g guard) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is no URL")
	case u.Scheme != "https" && (u.Scheme != "http" || !allowHTTP):
		return nil, errors.New("must begin with https://")
	case u.Hostname() == "":
		return nil, errors.New("has no host")
	case u.User != nil:
		return nil, errors.New("must not hold a user name or password")
	case u.Fragment != "":
		return nil, errors.New("must not have a # part, which is never sent")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, errors.New("has a port that isn't 1 to 65535")
		}
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := g.check(addr); err != nil {
			return nil, fmt.Errorf("%w, nor is it in allow_networks", err)
		}
	}
	return u, nil
}

// Send implements [Channel].
func (w *Webhook) Send(ctx context.Context, n Notification) error {
	request, err := w.request(ctx, n)
	if err != nil {
		return err
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return w.failure(ctx, err)
	}
	defer answer.Body.Close()
	return w.judge(answer)
}

func (w *Webhook) request(ctx context.Context, n Notification) (*http.Request, error) {
	body, err := n.json()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url.Reveal(), bytes.NewReader(body))
	if err != nil {
		return nil, permanent("webhook %s: the URL can't be used", w.host)
	}
	now, id := w.now(), n.key()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "todoctl")
	request.Header.Set("webhook-id", id)
	request.Header.Set("webhook-timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("webhook-signature", w.signer.sign(id, now, body))
	return request, nil
}

// failure judges a request that got no answer. The text of a [url.Error] has the
// whole URL, so only its cause is told.
func (w *Webhook) failure(ctx context.Context, err error) error {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	if errors.Is(err, errForbidden) {
		return permanent("webhook %s: %w", w.host, err)
	}
	return transient("webhook %s: %w", w.host, inTime(ctx, err))
}
