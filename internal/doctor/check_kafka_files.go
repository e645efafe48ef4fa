package doctor

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// kafkaFileChecks are the checks of what pubsub.kafka components say.
func (s *subject) kafkaFileChecks() []Check {
	return []Check{
		{
			ID: "files.initial-offset", Severity: Error, Title: "initialOffset is oldest or newest",
			Symptom: "`kafka error: invalid initialOffset: earliest`, and daprd ends", Cause: "Dapr's words are oldest and newest, not Kafka's",
			Mend: "write oldest", Fixes: true, Run: s.checkInitialOffset,
		},
		{
			ID: "files.auth-type", Severity: Error, Title: "authType is set, and what it needs is there",
			Symptom: "`kafka error: 'authType' attribute was missing or empty`, and daprd ends", Cause: "pubsub.kafka requires authType",
			Mend: `add authType: "none"`, Fixes: true, Run: s.checkAuthType,
		},
		{
			ID: "files.sasl-mechanism", Severity: Error, Title: "saslMechanism is one that Dapr knows",
			Symptom: "`EOF` from the broker", Cause: "Dapr takes any other word than SHA-256 and SHA-512 for PLAIN, without a word",
			Mend: "write SHA-256 or SHA-512", Fixes: true, Run: s.checkMechanism,
		},
		{
			ID: "files.brokers", Severity: Error, Title: "pubsub.kafka names brokers",
			Symptom: "`kafka error: missing 'brokers' attribute`, and daprd ends", Cause: "pubsub.kafka requires brokers",
			Mend: "add brokers: HOST:PORT", Run: s.checkBrokersGiven,
		},
		{
			ID: "files.newest", Severity: Warning, Title: "consumers start with the oldest event",
			Symptom: "events written before a consumer's first start are missed", Cause: "initialOffset is newest",
			Mend: "write initialOffset: oldest", Fixes: true, Run: s.checkNewest,
		},
		{
			ID: "files.retry-off", Severity: Warning, Title: "consuming is retried",
			Symptom: "an event whose handler failed is gone", Cause: `consumeRetryEnabled: "false" drops an event at its first failure`,
			Mend: `remove consumeRetryEnabled`, Fixes: true, Run: s.checkRetryOff,
		},
		{
			ID: "files.unknown-key", Severity: Warning, Title: "metadata keys are known to the component",
			Symptom: "a setting has no effect", Cause: "Dapr passes over metadata keys that a component doesn't have",
			Mend: "correct or remove the key", Run: s.checkKeys,
		},
	}
}

// kafkas are the pubsub.kafka components; bindings.kafka reads the same metadata.
func (s *subject) kafkas() []component {
	return slices.DeleteFunc(s.res.components(), func(c component) bool { return !c.isKafka() })
}

func (s *subject) checkInitialOffset(context.Context) Result {
	var r Result
	for _, c := range s.kafkas() {
		for _, i := range c.items { // Dapr reads this key in this spelling only
			if i.name != "initialOffset" || i.value == "" || strings.EqualFold(i.value, "oldest") || strings.EqualFold(i.value, "newest") {
				continue
			}
			want := "oldest"
			if strings.EqualFold(i.value, "latest") || strings.EqualFold(i.value, "end") {
				want = "newest"
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s has initialOffset %q, which Dapr refuses: daprd ends when it starts.", quoted(c.name), i.value),
				Evidence: facts("at", c.at(i.node), "found", i.value, "wanted", want),
				Mend:     "write " + want, Fix: s.edit(c.document, i.node, want),
			})
		}
	}
	return r
}

func authTypes() []string {
	return []string{"none", "password", "mtls", "oidc", "oidc_private_key_jwt", "awsiam", "certificate"}
}

func (s *subject) checkAuthType(context.Context) Result {
	var r Result
	for _, c := range s.kafkas() {
		if f, bad := s.authFinding(c); bad {
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

func (s *subject) authFinding(c component) (Finding, bool) {
	auth, _ := c.item("authType")
	switch {
	case !auth.given() && c.value("authRequired") == "":
		want := "none"
		if user, _ := c.item("saslUsername"); user.given() {
			want = "password"
		}
		f := Finding{
			Message:  fmt.Sprintf("Component %s has no authType, which Dapr requires: daprd ends when it starts.", quoted(c.name)),
			Evidence: facts("at", c.at(lookup(c.root, "spec", "metadata")), "wanted", want),
			Mend:     fmt.Sprintf("add name: authType, value: %q", want),
		}
		if auth.node != nil {
			f.Fix = s.edit(c.document, auth.node, want)
		} else if auth.nameNode == nil {
			f.Fix = s.addItem(c, "authType", want)
		}
		return f, true
	case auth.value != "" && !slices.Contains(authTypes(), strings.ToLower(auth.value)) && !isPlaceholder(auth.value):
		return Finding{
			Message:  fmt.Sprintf("Component %s has authType %q, which Dapr refuses: daprd ends when it starts.", quoted(c.name), auth.value),
			Evidence: facts("at", c.at(auth.node), "found", auth.value, "wanted", "one of "+strings.Join(authTypes(), ", ")),
			Mend:     "write one of " + strings.Join(authTypes(), ", "),
		}, true
	case auth.value != "none" && strings.EqualFold(auth.value, "none"):
		return Finding{
			Message:  fmt.Sprintf("Component %s has authType %q with a capital, which turns TLS on.", quoted(c.name), auth.value),
			Evidence: facts("at", c.at(auth.node), "found", auth.value, "wanted", "none"),
			Mend:     "write none", Fix: s.edit(c.document, auth.node, "none"),
		}, true
	case strings.EqualFold(auth.value, "password"):
		for _, key := range []string{"saslUsername", "saslPassword"} {
			if i, _ := c.item(key); !i.given() {
				return Finding{
					Message:  fmt.Sprintf("Component %s has authType password and no %s: daprd ends when it starts.", quoted(c.name), key),
					Evidence: facts("at", c.at(auth.node), "wanted", key), Mend: "add " + key,
				}, true
			}
		}
	case strings.EqualFold(auth.value, "certificate"), strings.EqualFold(auth.value, "mtls") && !isTrue(c.value("skipVerify")):
		if i, _ := c.item("caCert"); !i.given() {
			return Finding{
				Message:  fmt.Sprintf("Component %s has authType %s and no caCert: daprd ends when it starts.", quoted(c.name), auth.value),
				Evidence: facts("at", c.at(auth.node), "wanted", "caCert"), Mend: "add caCert",
			}, true
		}
	}
	return Finding{}, false
}

func (s *subject) checkMechanism(context.Context) Result {
	var r Result
	for _, c := range s.kafkas() {
		i, _ := c.item("saslMechanism")
		if slices.Contains([]string{"", "SHA-256", "SHA-512", "PLAINTEXT", "PLAIN"}, i.value) || isPlaceholder(i.value) {
			continue
		}
		want := ""
		for _, bits := range []string{"256", "512"} {
			if strings.Contains(i.value, bits) {
				want = "SHA-" + bits
			}
		}
		f := Finding{
			Message:  fmt.Sprintf("Component %s has saslMechanism %q, which Dapr takes for PLAIN without a word.", quoted(c.name), i.value),
			Evidence: facts("at", c.at(i.node), "found", i.value, "wanted", want),
		}
		if want != "" {
			f.Mend, f.Fix = "write "+want, s.edit(c.document, i.node, want)
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

func (s *subject) checkBrokersGiven(context.Context) Result {
	var r Result
	for _, c := range s.kafkas() {
		if i, _ := c.item("brokers"); !i.given() {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s names no brokers, which Dapr requires: daprd ends when it starts.", quoted(c.name)),
				Evidence: facts("at", c.at(lookup(c.root, "spec", "metadata")), "wanted", "brokers"),
			})
		}
	}
	return r
}

func (s *subject) checkNewest(context.Context) Result {
	var r Result
	for _, c := range s.kafkas() {
		if i, ok := c.item("initialOffset"); ok && i.name == "initialOffset" && strings.EqualFold(i.value, "newest") {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s starts at the newest event, so a consumer misses what was written before its first start.", quoted(c.name)),
				Evidence: facts("at", c.at(i.node), "found", i.value, "wanted", "oldest"),
				Fix:      s.edit(c.document, i.node, "oldest"),
			})
		}
	}
	return r
}

func (s *subject) checkRetryOff(context.Context) Result {
	var r Result
	for _, c := range s.kafkas() {
		if i, _ := c.item("consumeRetryEnabled"); slices.Contains([]string{"false", "0", "f", "no", "n", "off"}, strings.ToLower(i.value)) {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s has consumeRetryEnabled off, so an event whose handler fails once is lost.", quoted(c.name)),
				Evidence: facts("at", c.at(i.node), "found", i.value, "wanted", "true"),
				Fix:      s.edit(c.document, i.node, "true"),
			})
		}
	}
	return r
}

// commonKeys are those that the runtime itself reads of every pubsub.
func commonKeys() []string {
	return []string{"publishingScopes", "subscriptionScopes", "allowedTopics", "protectedTopics"}
}

// checkKeys names the keys that pubsub.kafka doesn't have. Of other components only
// those that are misspelt: real folders are full of keys of older versions, which do
// no harm.
func (s *subject) checkKeys(context.Context) Result {
	var r Result
	for _, c := range s.res.components() {
		known := s.types[c.typ]
		if len(known) == 0 {
			continue
		}
		known = slices.Concat(known, commonKeys())
		for _, i := range c.items {
			if i.name == "" || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, i.name) }) {
				continue
			}
			near := nearestFew(i.name, known)
			if near == "" && !c.isKafka() {
				continue
			}
			f := Finding{
				Message:  fmt.Sprintf("Component %s has the key %q, which %s doesn't have, so it has no effect.", quoted(c.name), i.name, c.typ),
				Evidence: facts("at", c.at(i.nameNode), "found", i.name, "wanted", near), Mend: "remove " + i.name,
			}
			if near != "" {
				f.Mend = "write name: " + near
			} else if strings.EqualFold(i.name, "deadLetterTopic") {
				f.Mend = "move deadLetterTopic to the Subscription"
			}
			r.Findings = append(r.Findings, f)
		}
	}
	return r
}

// addressKeys are the keys of addresses, in which no brace is at home.
func addressKeys() []string {
	return []string{"brokers", "redishost", "host", "hosts", "hostname", "url", "server", "servers"}
}

func (s *subject) checkPlaceholders(context.Context) Result {
	var r Result
	for _, c := range s.res.components() {
		for _, i := range c.items {
			address := slices.Contains(addressKeys(), strings.ToLower(i.name))
			if !isPlaceholder(i.value) && (!address || !hasPlaceholder(i.value)) {
				continue
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("The value of %s in component %s is %q as it stands: Dapr expands nothing there.", i.name, quoted(c.name), i.value),
				Evidence: facts("at", c.at(i.node), "found", i.value),
				Mend:     "write the value itself, or envRef: NAME in place of value, or take it from a secret store",
			})
		}
	}
	return r
}

const placeholder = `(\{env:[A-Z0-9_]+\}|\$\{[A-Za-z_][^}]*\}|\$\([A-Za-z_]+\)|\$[A-Z_]{3,}|%[A-Z_]+%|\{[A-Z][A-Z0-9_]*\}|\{\{[^}]*\}\}|<[A-Z][A-Z0-9_ -]*>)`

// isPlaceholder tells whether a value is a placeholder and nothing else, but for a port.
func isPlaceholder(value string) bool {
	return regexp.MustCompile(`^` + placeholder + `(:\d+)?$`).MatchString(value)
}

func hasPlaceholder(value string) bool { return regexp.MustCompile(placeholder).MatchString(value) }
