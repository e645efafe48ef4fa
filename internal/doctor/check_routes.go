package doctor

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
)

// routeCheck is sidecar.route: Dapr drops an event whose handler answers 404, with one
// line in its log.
func (s *subject) routeCheck() Check {
	return Check{
		ID: "sidecar.route", Severity: Error, Title: "the app has the routes of its subscriptions",
		Symptom: "events are consumed, and nothing happens; daprd's log has `non-retriable error returned from app`", Cause: "the handler answers 404, and Dapr drops the event then, without a retry and without a dead letter",
		Mend: "correct the route of the subscription, or add the handler", Needs: []string{"sidecar.reach"}, After: []string{"environment.api", "sidecar.health"}, Run: s.checkRoutes,
	}
}

// A route is a path of the app to which a subscription delivers.
type route struct{ path, topic string }

func (s *subject) routes() []route {
	var list []route
	for _, sub := range s.meta.Subscriptions {
		for _, rule := range sub.Rules {
			if rule.Path != "" {
				list = append(list, route{"/" + strings.TrimPrefix(rule.Path, "/"), sub.Topic})
			}
		}
	}
	return list
}

// checkRoutes asks with OPTIONS, which by HTTP changes nothing. Some frameworks answer
// 404 to OPTIONS of any path: so a 404 counts only where the same app answers otherwise
// to OPTIONS of a path that it has.
func (s *subject) checkRoutes(ctx context.Context) Result {
	routes, app := s.routes(), s.meta.App
	if len(routes) == 0 || app.Port == 0 || app.Protocol != "http" {
		return beside()
	}
	host := app.ChannelAddress
	if host == "" {
		host = "127.0.0.1"
	}
	base := "http://" + net.JoinHostPort(host, strconv.Itoa(app.Port))
	var missing []route
	tells := false
	for _, r := range routes {
		switch status := s.ask(ctx, http.MethodOptions, base+r.path); status {
		case 0:
			return skipped("the app doesn't answer at " + base)
		case http.StatusNotFound:
			missing = append(missing, r)
		default:
			tells = true
		}
	}
	if len(missing) == 0 {
		return Result{}
	}
	if !tells && !s.tellsRoutes(ctx, base) {
		return skipped("the app answers 404 to OPTIONS also where it has a route")
	}
	var result Result
	for _, r := range missing {
		result.Findings = append(result.Findings, Finding{
			Message:  fmt.Sprintf("The app has no route %s, to which the events of topic %q are delivered, so Dapr drops them.", r.path, r.topic),
			Evidence: facts("app", base, "app id", s.meta.AppID, "asked", "OPTIONS "+r.path, "answer", "404"),
			Mend:     fmt.Sprintf("correct the route of the subscription to %s, or add a handler for POST %s", r.topic, r.path),
		})
	}
	return result
}

// tellsRoutes tells whether the app's 404 to OPTIONS means that there is no such path:
// it gives another answer for one of the paths that apps have for Dapr and for probes.
func (s *subject) tellsRoutes(ctx context.Context, base string) bool {
	for _, path := range []string{"/dapr/subscribe", "/dapr/config", "/livez", "/healthz", "/"} {
		status, _ := s.get(ctx, base+path)
		if status >= 200 && status < 300 && s.ask(ctx, http.MethodOptions, base+path) != http.StatusNotFound {
			return true
		}
	}
	return false
}
