package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// callTimeout bounds one call of a sidecar's API.
const callTimeout = 5 * time.Second

// An Endpoint is the HTTP API of a sidecar.
type Endpoint struct {
	Addr  string // HOST:PORT
	Token string // sent as dapr-api-token; "" for none
}

// A Component is a component that a sidecar has loaded.
type Component struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	Version string `json:"version"`
}

// A Subscription is a topic that a sidecar has subscribed its app to.
type Subscription struct {
	Pubsub string `json:"pubsubname"`
	Topic  string `json:"topic"`
	Type   string `json:"type"` // DECLARATIVE, PROGRAMMATIC or STREAMING
	Rules  []Rule `json:"rules"`
}

// A Rule says to which path of the app a subscription's events go.
type Rule struct {
	Match string `json:"match"` // a condition; "" for all others
	Path  string `json:"path"`
}

// An AppConnection is how a sidecar reaches its app.
type AppConnection struct {
	Port           int    `json:"port"`           // 0 for none
	Protocol       string `json:"protocol"`       // http, grpc, …
	ChannelAddress string `json:"channelAddress"` // a host
}

// Metadata is what a sidecar says of itself.
// Source: https://docs.dapr.io/reference/api/metadata_api/
type Metadata struct {
	AppID         string            `json:"id"`
	Version       string            `json:"runtimeVersion"`
	Components    []Component       `json:"components"`
	Subscriptions []Subscription    `json:"subscriptions"`
	App           AppConnection     `json:"appConnectionProperties"`
	Extended      map[string]string `json:"extended"`
	Features      []string          `json:"enabledFeatures"`
}

// Ready asks whether the sidecar takes calls to the outside, such as publish. It
// doesn't wait for the app to be healthy.
func (e Endpoint) Ready(ctx context.Context) error {
	_, err := e.call(ctx, http.MethodGet, "/v1.0/healthz/outbound", "")
	return err
}

// Metadata reads what the sidecar has loaded.
func (e Endpoint) Metadata(ctx context.Context) (Metadata, error) {
	var m Metadata
	body, err := e.call(ctx, http.MethodGet, "/v1.0/metadata", "")
	if err != nil {
		return m, fmt.Errorf("read sidecar metadata: %w", err)
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return m, fmt.Errorf("read sidecar metadata: %w", err)
	}
	return m, nil
}

// SetMetadata sets one key of the sidecar's extended metadata.
func (e Endpoint) SetMetadata(ctx context.Context, key, value string) error {
	if _, err := e.call(ctx, http.MethodPut, "/v1.0/metadata/"+url.PathEscape(key), value); err != nil {
		return fmt.Errorf("set sidecar metadata %q: %w", key, err)
	}
	return nil
}

func (e Endpoint) call(ctx context.Context, method, path, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+e.Addr+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if e.Token != "" {
		req.Header.Set("dapr-api-token", e.Token)
	}
	// A transport of its own: no proxy, and no idle connection left behind that
	// would hold up the sidecar's shutdown.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		return nil, fmt.Errorf("the sidecar at %s refuses the API token: set DAPR_API_TOKEN to the one it was started with", e.Addr)
	case resp.StatusCode >= http.StatusMultipleChoices:
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(answer)))
	}
	return answer, nil
}

func localAddr(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
