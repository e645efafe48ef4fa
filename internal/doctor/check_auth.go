package doctor

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// authNeeds are the values of authType, each with the keys that it can't be without.
// Source: components-contrib, common/component/kafka/metadata.go.
func authNeeds() map[string][]string {
	return map[string][]string{
		"none": nil, "mtls": nil, "awsiam": nil,
		"password":             {"saslUsername", "saslPassword"},
		"certificate":          {"caCert"},
		"oidc":                 {"oidcTokenEndpoint", "oidcClientID", "oidcClientSecret"},
		"oidc_private_key_jwt": {"oidcTokenEndpoint", "oidcClientID", "oidcClientAssertionCert", "oidcClientAssertionKey"},
	}
}

func authTypes() []string { return keysOf(authNeeds()) }

func (s *subject) checkAuthType(context.Context) Result {
	var r Result
	for _, c := range s.kafkaReaders() {
		if f, bad := s.authFinding(c); bad {
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

func (s *subject) authFinding(c component) (Finding, bool) {
	auth, _ := c.item("authType")
	old, _ := c.item("authRequired")
	lower := strings.ToLower(auth.value)
	needs, known := authNeeds()[lower]
	switch {
	case auth.secret != "", auth.env != "", isPlaceholder(auth.value):
		return Finding{}, false
	case auth.value == "" && old.given():
		return s.oldAuth(c, old)
	case auth.value == "":
		return s.noAuth(c, auth), true
	case !known:
		return Finding{
			Message:  fmt.Sprintf("Component %s has authType %q, which Dapr refuses: %s.", quoted(c.name), auth.value, c.refused()),
			Evidence: facts("at", c.at(auth.node), "found", auth.value, "wanted", "one of "+strings.Join(authTypes(), ", ")),
			Mend:     "write one of " + strings.Join(authTypes(), ", "),
		}, true
	case lower == "none" && auth.value != "none":
		return Finding{
			Message:  fmt.Sprintf("Component %s has authType %q with a capital, which turns TLS on.", quoted(c.name), auth.value),
			Evidence: facts("at", c.at(auth.node), "found", auth.value, "wanted", "none"),
			Mend:     "write none", Fix: s.edit(c.document, auth.node, "none"),
		}, true
	case lower == "mtls":
		needs = halfOf(c, "clientCert", "clientKey")
		if !isTrue(c.value("skipVerify")) {
			needs = append(needs, "caCert") // without it daprd panics
		}
	}
	for _, key := range needs {
		if i, _ := c.item(key); !i.given() {
			return Finding{
				Message:  fmt.Sprintf("Component %s has authType %s and no %s: %s.", quoted(c.name), auth.value, key, c.refused()),
				Evidence: facts("at", c.at(auth.node), "wanted", key), Mend: "add " + key,
			}, true
		}
	}
	return Finding{}, false
}

// halfOf are both keys where one of them is given.
func halfOf(c component, keys ...string) []string {
	if slices.ContainsFunc(keys, func(key string) bool { i, _ := c.item(key); return i.given() }) {
		return keys
	}
	return nil
}

// noAuth is for a component without authType, which is "none" or "password".
func (s *subject) noAuth(c component, auth item) Finding {
	want := "none"
	if user, _ := c.item("saslUsername"); user.given() {
		want = "password"
	}
	f := Finding{
		Message:  fmt.Sprintf("Component %s has no authType, which Dapr requires: %s.", quoted(c.name), c.refused()),
		Evidence: facts("at", c.at(lookup(c.root, "spec", "metadata")), "wanted", want),
		Mend:     fmt.Sprintf("add name: authType, value: %q", want),
	}
	if auth.node != nil {
		f.Fix = s.edit(c.document, auth.node, want)
	} else if auth.nameNode == nil {
		f.Fix = s.addItem(c, "authType", want)
	}
	return f
}

// oldAuth is for a component with authRequired, authType's predecessor: a boolean as Go
// writes it.
func (s *subject) oldAuth(c component, old item) (Finding, bool) {
	if _, err := strconv.ParseBool(old.value); err == nil || old.value == "" || isPlaceholder(old.value) {
		return Finding{}, false
	}
	f := Finding{
		Message:  fmt.Sprintf("Component %s has authRequired %q, which Dapr takes for neither true nor false: %s.", quoted(c.name), old.value, c.refused()),
		Evidence: facts("at", c.at(old.node), "found", old.value, "wanted", "true or false"), Mend: `write "true" or "false", or authType in its place`,
	}
	if slices.Contains([]string{"no", "off", "none"}, strings.ToLower(old.value)) {
		f.Mend, f.Fix = `write "false"`, s.edit(c.document, old.node, "false")
	}
	return f, true
}
