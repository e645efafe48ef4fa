package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/todoctl/todoctl/internal/spelling"
)

// referenceChecks are the checks of what the files say of one another.
func (s *subject) referenceChecks() []Check {
	return []Check{
		{
			ID: "files.pubsub", Severity: Error, Title: "the pubsub that is published to is in the folder",
			Symptom: "`ERR_PUBSUB_NOT_FOUND`, publishing answers 404", Cause: "no component has the name that the app publishes to",
			Mend: "publish to the name that is there: --pubsub NAME", Needs: []string{"files.folder"}, Run: s.checkPubsubName,
		},
		{
			ID: "files.scopes", Severity: Error, Title: "the pubsub's scopes name the app",
			Symptom: "`ERR_PUBSUB_NOT_FOUND`, and no log line says why", Cause: "a component with scopes is loaded for the app ids in them only",
			Mend: "add the app id to scopes", Needs: []string{"files.folder"}, Run: s.checkScopes,
		},
		{
			ID: "files.subscription", Severity: Error, Title: "subscriptions name a pubsub of the folder",
			Symptom: "the log says that the app is subscribed, and nothing arrives", Cause: "the subscription names a pubsub that isn't loaded",
			Mend: "correct pubsubname", Fixes: true, After: []string{"files.pubsub"}, Run: s.checkSubscriptions,
		},
		{
			ID: "files.dead-letter", Severity: Warning, Title: "events are retried before they are dead-lettered",
			Symptom: "the first failure of a handler sends the event to the dead letter topic", Cause: "deadLetterTopic without a retry policy for the pubsub's inbound side means no retry",
			Mend: "add a Resiliency with an inbound retry for the pubsub", After: []string{"files.resiliency-target"}, Run: s.checkDeadLetter,
		},
		{
			ID: "files.resiliency-target", Severity: Error, Title: "resiliency policies have targets that exist",
			Symptom: "a retry policy has no effect", Cause: "the target is no component of the folder, or the policy it names isn't defined",
			Mend: "correct the name", Fixes: true, Run: s.checkTargets,
		},
		{
			ID: "files.gives-up", Severity: Warning, Title: "retries of consumers don't give up in silence",
			Symptom: "after an outage of 15 minutes events are gone", Cause: "an exponential policy gives up after 15 minutes, also with maxRetries -1",
			Mend: "write policy: constant", Fixes: true, Run: s.checkExponential,
		},
		{
			ID: "files.lossy-subscription", Severity: Warning, Title: "subscriptions have no lossy options",
			Symptom: "events are repeated as a block, or expire unread", Cause: "bulkSubscribe without a retry policy acknowledges events as a block, ttlInSeconds drops them by age",
			Mend: "remove the option", Run: s.checkLossy,
		},
	}
}

// checkPubsubName holds the folder to the name that is published to. For a folder of
// somebody else's only a name that is nearly the same counts.
func (s *subject) checkPubsubName(context.Context) Result {
	if !s.Publishes || len(s.Sources) == 0 {
		return beside()
	}
	want := s.Pubsub.Value
	var names []string
	for _, c := range s.res.components() {
		if c.isPubsub() {
			names = append(names, c.name)
		}
	}
	if slices.Contains(names, want) {
		return Result{}
	}
	if s.lost(want) {
		return skipped("Dapr passes over the document of " + want)
	}
	near := nearestFew(want, names)
	if s.Foreign && !s.Pubsub.Chosen && near == "" {
		return beside()
	}
	f := Finding{
		Message:  fmt.Sprintf("Events are published to %q, and no pubsub of that name is in the folder.", want),
		Evidence: facts("folder", s.dirs(), "there", strings.Join(names, ", "), "wanted", want, "from", s.Pubsub.Source),
		Mend:     "add the component " + want,
	}
	if len(names) > 0 {
		f.Mend = "todoctl serve --pubsub " + nearestOf(want, names)
	}
	for _, c := range s.res.components() {
		if near != "" && c.name == near && c.isPubsub() {
			f.Evidence = append(f.Evidence, Fact{"at", c.at(lookup(c.root, "metadata", "name"))})
		}
	}
	return found(f)
}

// nearestOf is the name with the fewest edits.
func nearestOf(word string, names []string) string {
	return slices.MinFunc(names, func(a, b string) int {
		return spelling.Distance(word, a) - spelling.Distance(word, b)
	})
}

func (s *subject) checkScopes(context.Context) Result {
	for _, c := range s.res.components() {
		if c.name != s.Pubsub.Value || !c.isPubsub() || serves(c.scopes(), s.AppID.Value) {
			continue
		}
		list := lookup(c.root, "scopes")
		return found(Finding{
			Message:  fmt.Sprintf("Component %s is loaded for %s only, and the app is %q.", quoted(c.name), strings.Join(c.scopes(), ", "), s.AppID.Value),
			Evidence: facts("at", c.at(list), "found", strings.Join(c.scopes(), ", "), "wanted", s.AppID.Value, "from", s.AppID.Source),
			Mend:     fmt.Sprintf("add %s to scopes", s.AppID.Value),
		})
	}
	return Result{}
}

func (s *subject) checkSubscriptions(context.Context) Result {
	var names []string
	for _, c := range s.res.components() {
		if c.isPubsub() {
			names = append(names, c.name)
		}
	}
	var r Result
	for _, sub := range s.res.subscriptions() {
		if len(names) == 0 || sub.pubsub == "" || slices.Contains(names, sub.pubsub) || s.lost(sub.pubsub) {
			continue
		}
		node := lookup(sub.root, "spec", "pubsubname")
		f := Finding{
			Message:  fmt.Sprintf("Subscription %s is to the pubsub %q, which isn't in the folder, so nothing arrives.", quoted(sub.name), sub.pubsub),
			Evidence: facts("at", sub.at(node), "found", sub.pubsub, "there", strings.Join(names, ", ")),
			Mend:     "write pubsubname: " + nearestOf(sub.pubsub, names),
		}
		if near := nearestFew(sub.pubsub, names); near != "" {
			f.Fix = s.edit(sub.document, node, near)
		}
		r.Findings = append(r.Findings, f)
	}
	return r
}

// defaultRetries are the names of retry policies that hold for every pubsub's inbound
// side. Source: https://docs.dapr.io/operations/resiliency/policies/default-policies/
func defaultRetries() []string {
	return []string{
		"DefaultRetryPolicy", "DefaultComponentRetryPolicy", "DefaultComponentInboundRetryPolicy", "DefaultPubsubComponentInboundRetryPolicy",
	}
}

// inboundRetry is the retry policy of a pubsub's inbound side, "" without one.
func (s *subject) inboundRetry(pubsub string) (*document, string) {
	for _, d := range s.res.of("Resiliency") {
		if name := text(lookup(d.root, "spec", "targets", "components", pubsub, "inbound", "retry")); name != "" {
			return d, name
		}
	}
	for _, d := range s.res.of("Resiliency") {
		for _, name := range defaultRetries() {
			if lookup(d.root, "spec", "policies", "retries", name) != nil {
				return d, name
			}
		}
	}
	return nil, ""
}

func (s *subject) checkDeadLetter(context.Context) Result {
	if s.lostKind("Resiliency") {
		return skipped("Dapr passes over a Resiliency")
	}
	var r Result
	for _, sub := range s.res.subscriptions() {
		if sub.deadLetter == "" || !slices.ContainsFunc(s.res.components(), func(c component) bool { return c.name == sub.pubsub }) {
			continue
		}
		if _, retry := s.inboundRetry(sub.pubsub); retry != "" {
			continue
		}
		node := lookup(sub.root, "spec", "deadLetterTopic")
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("Subscription %s dead-letters an event at its first failure, since no retry policy holds for %q.", quoted(sub.name), sub.pubsub),
			Evidence: facts("at", sub.at(node), "dead letter topic", sub.deadLetter),
			Mend:     fmt.Sprintf("add a Resiliency with spec.targets.components.%s.inbound.retry", sub.pubsub),
		})
	}
	return r
}

func (s *subject) checkTargets(context.Context) Result {
	var names []string
	for _, c := range s.res.components() {
		names = append(names, c.name)
	}
	var r Result
	for _, d := range s.res.of("Resiliency") {
		for _, target := range pairs(lookup(d.root, "spec", "targets", "components")) {
			if len(names) > 0 && !slices.Contains(names, target.key.Value) && !s.lost(target.key.Value) {
				f := Finding{
					Message:  fmt.Sprintf("Resiliency %s is for the component %q, which isn't in the folder, so it has no effect.", quoted(d.name), target.key.Value),
					Evidence: facts("at", d.at(target.key), "found", target.key.Value, "there", strings.Join(names, ", ")),
				}
				if near := nearestFew(target.key.Value, names); near != "" {
					f.Mend, f.Fix = "write "+near, s.edit(d, target.key, near)
				}
				r.Findings = append(r.Findings, f)
			}
			for _, side := range []string{"inbound", "outbound"} {
				r.Findings = append(r.Findings, s.undefined(d, lookup(target.value, side))...)
			}
		}
	}
	return r
}

// undefined are the policies that a target names and the document doesn't define.
// Dapr takes the policies of all documents together.
func (s *subject) undefined(d *document, side *yaml.Node) []Finding {
	var list []Finding
	for _, word := range [][2]string{{"retry", "retries"}, {"timeout", "timeouts"}, {"circuitBreaker", "circuitBreakers"}} {
		node := lookup(side, word[0])
		name := text(node)
		var defined []string
		for _, other := range s.res.of("Resiliency") {
			for _, policy := range pairs(lookup(other.root, "spec", "policies", word[1])) {
				defined = append(defined, policy.key.Value)
			}
		}
		if name == "" || slices.Contains(defined, name) || s.lost(name) || strings.HasPrefix(name, "DaprBuiltIn") {
			continue
		}
		f := Finding{
			Message:  fmt.Sprintf("Resiliency %s names the %s policy %q, which isn't defined, so it has no effect.", quoted(d.name), word[0], name),
			Evidence: facts("at", d.at(node), "found", name, "there", strings.Join(defined, ", ")),
		}
		if near := nearestFew(name, defined); near != "" {
			f.Mend, f.Fix = "write "+near, s.edit(d, node, near)
		}
		list = append(list, f)
	}
	return list
}

func (s *subject) checkExponential(context.Context) Result {
	var r Result
	for _, c := range s.res.components() {
		d, name := s.inboundRetry(c.name)
		if !c.isPubsub() || d == nil || s.deadLetters(c.name) {
			continue
		}
		for _, d := range s.res.of("Resiliency") {
			policy := lookup(d.root, "spec", "policies", "retries", name)
			kind, most := lookup(policy, "policy"), text(lookup(policy, "maxRetries"))
			if !strings.EqualFold(text(kind), "exponential") || (most != "" && !strings.HasPrefix(most, "-")) {
				continue
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("The retry policy %q of %s is exponential, which gives up after 15 minutes, and the event is lost.", name, quoted(c.name)),
				Evidence: facts("at", d.at(kind), "found", text(kind), "wanted", "constant"),
				Fix:      s.edit(d, kind, "constant"),
			})
		}
	}
	return r
}

// deadLetters tells whether all declared subscriptions to a pubsub dead-letter.
func (s *subject) deadLetters(pubsub string) bool {
	some := false
	for _, sub := range s.res.subscriptions() {
		if sub.pubsub == pubsub {
			if sub.deadLetter == "" {
				return false
			}
			some = true
		}
	}
	return some
}

func (s *subject) checkLossy(context.Context) Result {
	var r Result
	for _, sub := range s.res.subscriptions() {
		_, retry := s.inboundRetry(sub.pubsub) // with one, only what failed is handed over again
		if node := lookup(sub.root, "spec", "bulkSubscribe", "enabled"); strings.EqualFold(text(node), "true") && retry == "" {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Subscription %s takes events in bulk, where one failure repeats or loses its neighbours.", quoted(sub.name)),
				Evidence: facts("at", sub.at(node), "found", "bulkSubscribe"),
				Mend:     fmt.Sprintf("add a Resiliency with spec.targets.components.%s.inbound.retry, or remove bulkSubscribe", sub.pubsub),
			})
		}
		if node := lookup(sub.root, "spec", "metadata", "ttlInSeconds"); node != nil {
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Subscription %s has ttlInSeconds, so events that wait too long are dropped.", quoted(sub.name)),
				Evidence: facts("at", sub.at(node), "found", text(node)), Mend: "remove ttlInSeconds",
			})
		}
	}
	return r
}
