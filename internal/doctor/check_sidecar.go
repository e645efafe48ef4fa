package doctor

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/todoctl/todoctl/internal/stack"
)

// sidecarChecks are the checks of a running sidecar.
func (s *subject) sidecarChecks() []Check {
	needs := []string{"sidecar.reach"}
	return []Check{
		{
			ID: "sidecar.reach", Severity: Error, Title: "the sidecar answers",
			Symptom: "tasks are saved, and no event is published", Cause: "daprd has ended, or isn't ready",
			Mend: "todoctl serve, and read the first line that daprd complains with", After: []string{
				"files", "broker", "environment.daprd", "environment.ports", "environment.orphans", "environment.running", "environment.api",
			}, Run: s.checkSidecar,
		},
		{
			ID: "sidecar.component", Severity: Error, Title: "the sidecar has loaded the folder's components",
			Symptom: "the sidecar is healthy, publishing answers 404", Cause: "the sidecar was started before the file was there, or with another folder",
			Mend: "start the sidecar anew", Needs: needs, After: []string{"files"}, Run: s.checkComponents,
		},
		{
			ID: "sidecar.pubsub", Severity: Error, Title: "the sidecar has the pubsub that is published to",
			Symptom: "`ERR_PUBSUB_NOT_FOUND`, publishing answers 404", Cause: "it has another name, or its scopes leave the app out",
			Mend: "publish to the name that is loaded: --pubsub NAME", Needs: needs, After: []string{"files", "sidecar.component"}, Run: s.checkLoadedPubsub,
		},
		{
			ID: "sidecar.subscription", Severity: Error, Title: "subscriptions are to loaded pubsubs",
			Symptom: "the log says that the app is subscribed, and nothing arrives", Cause: "the subscription names a pubsub that isn't loaded",
			Mend: "correct pubsubname", Needs: needs, After: []string{"files", "sidecar.component"}, Run: s.checkLoadedSubscriptions,
		},
		{
			ID: "sidecar.health", Severity: Error, Title: "the sidecar reaches its app",
			Symptom: "healthz answers 500 `dapr is not ready: [runtime]`, while healthz/outbound answers 204", Cause: "the app doesn't listen on the app port, so nothing is delivered to it",
			Mend: "start the app, or correct --app-port", Needs: needs, After: []string{"environment.api"}, Run: s.checkHealth,
		},
		{
			ID: "sidecar.exposed", Severity: Warning, Title: "the sidecar's API is for this machine only",
			Symptom: "other machines can publish events and read state", Cause: "daprd listens on all interfaces, and there is no API token",
			Mend: "start daprd with --dapr-listen-addresses 127.0.0.1, or set DAPR_API_TOKEN", Needs: needs, Run: s.checkExposed,
		},
		{
			ID: "sidecar.version", Severity: Warning, Title: "the sidecar is of a version that fits",
			Symptom: "`unknown flag`, `unimplemented`, or events without fields", Cause: "daprd is far older than what todoctl is built with",
			Mend: "make daprd, or dapr init --slim --runtime-version 1.18.3", Needs: needs, Run: s.checkVersion,
		},
	}
}

func (s *subject) checkSidecar(ctx context.Context) Result {
	if !s.Publishes {
		return beside()
	}
	expected := s.DaprHTTP.Chosen || s.api() || (s.runs() && s.run.DaprHTTPPort != 0)
	if s.runs() && s.run.SidecarPID == 0 && !s.side() && !s.enabled() {
		return beside()
	}
	if !s.side() {
		if !expected || (s.Foreign && !s.runs() && !s.DaprHTTP.Chosen) {
			return skipped("no sidecar runs here")
		}
		return found(Finding{Message: "The sidecar doesn't answer.", Evidence: facts("address", s.sidecarAddr(), "from", s.DaprHTTP.Source)})
	}
	var err error
	if s.meta, err = s.endpoint().Metadata(ctx); err != nil {
		return found(Finding{Message: "The sidecar doesn't tell what it has loaded: " + err.Error() + ".", Evidence: facts("address", s.sidecarAddr())})
	}
	if s.Foreign && !s.runs() && !s.DaprHTTP.Chosen && !s.sameFolder() {
		return skipped("the sidecar at " + s.sidecarAddr() + " runs with other files")
	}
	return Result{}
}

// enabled tells whether the stack that runs was started to publish.
func (s *subject) enabled() bool {
	if v, set := stack.ProcessEnv(s.run.PID, "DAPR_ENABLED"); set && v != "" {
		return isTrue(v)
	}
	return isTrue(s.DaprEnabled.Value)
}

func (s *subject) endpoint() stack.Endpoint {
	return stack.Endpoint{Addr: s.sidecarAddr(), Token: s.APIToken}
}

// loaded tells whether the sidecar has a component.
func (s *subject) loaded(name string) bool {
	return slices.ContainsFunc(s.meta.Components, func(c stack.Component) bool { return c.Name == name })
}

// sameFolder tells whether the sidecar was started with these files: it is ours, or
// has nothing that isn't in them.
func (s *subject) sameFolder() bool {
	if s.runs() && !s.Foreign {
		return true
	}
	there := s.res.components()
	return len(s.meta.Components) > 0 && !slices.ContainsFunc(s.meta.Components, func(loaded stack.Component) bool {
		return !slices.ContainsFunc(there, func(c component) bool { return c.name == loaded.Name && c.typ == strings.ToLower(loaded.Type) })
	})
}

func (s *subject) checkComponents(context.Context) Result {
	if !s.sameFolder() {
		return beside()
	}
	var r Result
	for _, c := range s.res.components() {
		if s.loaded(c.name) || !serves(c.scopes(), s.meta.AppID) {
			continue
		}
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("Component %s is in the folder, and the running sidecar hasn't loaded it.", quoted(c.name)),
			Evidence: facts("at", c.at(lookup(c.root, "metadata", "name")), "sidecar", s.sidecarAddr(), "app id", s.meta.AppID),
		})
	}
	return r
}

func (s *subject) checkLoadedPubsub(context.Context) Result {
	if !s.runs() && s.Foreign && !s.Pubsub.Chosen {
		return beside()
	}
	if err := stack.CheckPubsub(s.meta, s.Pubsub.Value); err != nil {
		var names []string
		for _, c := range s.meta.Components {
			if strings.HasPrefix(c.Type, "pubsub.") {
				names = append(names, c.Name)
			}
		}
		f := Finding{
			Message:  strings.ToUpper(err.Error()[:1]) + err.Error()[1:] + ".",
			Evidence: facts("sidecar", s.sidecarAddr(), "app id", s.meta.AppID, "loaded", strings.Join(names, ", "), "wanted", s.Pubsub.Value, "from", s.Pubsub.Source),
			Mend:     "add the component, or the app id to its scopes",
		}
		if len(names) > 0 {
			f.Mend = "todoctl serve --pubsub " + nearestOf(s.Pubsub.Value, names)
		}
		return found(f)
	}
	return Result{}
}

func (s *subject) checkLoadedSubscriptions(context.Context) Result {
	var r Result
	for _, sub := range s.meta.Subscriptions {
		if s.loaded(sub.Pubsub) {
			continue
		}
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("The app is subscribed to topic %q of the pubsub %q, which isn't loaded, so nothing arrives.", sub.Topic, sub.Pubsub),
			Evidence: facts("sidecar", s.sidecarAddr(), "app id", s.meta.AppID, "found", sub.Pubsub),
		})
	}
	return r
}

func (s *subject) checkHealth(ctx context.Context) Result {
	outbound, _ := s.get(ctx, "http://"+s.sidecarAddr()+"/v1.0/healthz/outbound")
	status, body := s.get(ctx, "http://"+s.sidecarAddr()+"/v1.0/healthz")
	if outbound != http.StatusNoContent || status < 300 || status == http.StatusUnauthorized {
		return Result{}
	}
	return found(Finding{
		Message:  "The sidecar takes calls and doesn't reach its app, so nothing is delivered.",
		Evidence: facts("healthz", fmt.Sprintf("%d %s", status, strings.TrimSpace(body)), "healthz/outbound", strconv.Itoa(outbound), "app id", s.meta.AppID),
	})
}

func (s *subject) checkExposed(context.Context) Result {
	if s.APIToken != "" || s.LookupEnv("KUBERNETES_SERVICE_HOST") != "" {
		return Result{}
	}
	for _, value := range []string{s.DaprHTTP.Value, s.DaprGRPC.Value} {
		port, err := strconv.Atoi(value)
		if err != nil || port == 0 || !stack.OpenPort(port) {
			continue
		}
		pid, program := stack.PortHolder(port)
		if program == "docker-proxy" {
			continue
		}
		return found(Finding{
			Message:  fmt.Sprintf("The sidecar's port %d listens on all interfaces, and there is no API token.", port),
			Evidence: facts("port", value, "holder", fmt.Sprintf("%s (pid %d)", program, pid), "wanted", "127.0.0.1"),
		})
	}
	return Result{}
}

func (s *subject) checkVersion(context.Context) Result {
	if fits(s.meta.Version) {
		return Result{}
	}
	return found(Finding{
		Message:  fmt.Sprintf("The sidecar is Dapr %s, and todoctl is built for %s.", s.meta.Version, builtWords),
		Evidence: facts("found", s.meta.Version, "wanted", builtWords, "sidecar", s.sidecarAddr()),
	})
}
