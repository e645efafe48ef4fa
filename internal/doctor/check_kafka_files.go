package doctor

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
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

// kafkas are the pubsub.kafka components.
func (s *subject) kafkas() []component {
	return slices.DeleteFunc(s.res.components(), func(c component) bool { return !c.isKafka() })
}

// kafkaReaders are the components that read Kafka's metadata as pubsub.kafka does.
func (s *subject) kafkaReaders() []component {
	return slices.DeleteFunc(s.res.components(), func(c component) bool { return !c.isKafka() && c.typ != "bindings.kafka" })
}

func (s *subject) checkInitialOffset(context.Context) Result {
	var r Result
	for _, c := range s.kafkaReaders() {
		for _, i := range c.items { // Dapr reads this key in this spelling only
			if i.name != "initialOffset" || i.value == "" || strings.EqualFold(i.value, "oldest") || strings.EqualFold(i.value, "newest") {
				continue
			}
			want := "oldest"
			if strings.EqualFold(i.value, "latest") || strings.EqualFold(i.value, "end") {
				want = "newest"
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s has initialOffset %q, which Dapr refuses: %s.", quoted(c.name), i.value, c.refused()),
				Evidence: facts("at", c.at(i.node), "found", i.value, "wanted", want),
				Mend:     "write " + want, Fix: s.edit(c.document, i.node, want),
			})
		}
	}
	return r
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
	for _, c := range s.kafkaReaders() {
		i, _ := c.item("brokers")
		switch {
		case i.node != nil && i.node.Kind == yaml.SequenceNode:
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s has a list of brokers, and Dapr wants one text with commas: %s.", quoted(c.name), c.refused()),
				Evidence: facts("at", c.at(i.node), "found", "a list", "wanted", brokersOf(i.node)), Mend: fmt.Sprintf("write value: %q", brokersOf(i.node)),
			})
		case !i.given():
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Component %s names no brokers, which Dapr requires: %s.", quoted(c.name), c.refused()),
				Evidence: facts("at", c.at(lookup(c.root, "spec", "metadata")), "found", c.brokersInstead(), "wanted", "brokers"),
			})
		}
	}
	return r
}

// brokersInstead is the key under which somebody has put the brokers, "" for none: what
// Kafka's own clients call them.
func (c component) brokersInstead() string {
	if i, _ := c.item("brokers"); i.given() {
		return ""
	}
	for _, i := range c.items {
		if lower := strings.ToLower(i.name); strings.Contains(lower, "bootstrap") || strings.Contains(lower, "broker") {
			return i.name
		}
	}
	return ""
}

// brokersOf joins the items of a list as Dapr wants them.
func brokersOf(list *yaml.Node) string {
	var brokers []string
	for _, node := range children(list) {
		brokers = append(brokers, text(node))
	}
	return strings.Join(brokers, ",")
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
			if i.name == "" || i.name == c.brokersInstead() || slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, i.name) }) {
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
			url := strings.EqualFold(i.name, "connectionString")
			if !isPlaceholder(i.value) && (!address || !hasPlaceholder(i.value)) && (!url || !hasBraces(i.value)) {
				continue
			}
			shown := i.value
			if url && !isPlaceholder(i.value) {
				shown = bracesOf(i.value) // the rest may hold a password
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("The value of %s in component %s has %q as it stands: Dapr expands nothing there.", i.name, quoted(c.name), shown),
				Evidence: facts("at", c.at(i.node), "found", shown),
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

// bracesOf is the first placeholder in a connection string: of the forms that can be in
// none by chance, as they can in a password.
func bracesOf(value string) string {
	return regexp.MustCompile(`\$\{[A-Za-z_][^}]*\}|\{\{[^}]*\}\}|\{env:[A-Z0-9_]+\}`).FindString(value)
}

func hasBraces(value string) bool { return bracesOf(value) != "" }

func hasPlaceholder(value string) bool { return regexp.MustCompile(placeholder).MatchString(value) }
