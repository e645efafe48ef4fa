package server

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// DefaultOrigins are the two names of the web frontend of the setup guide.
func DefaultOrigins() []string {
	return []string{"http://localhost:3001", "http://127.0.0.1:3001"}
}

// ValidateOrigins reports each text that isn't the origin of a web page as
// browsers send it: scheme://host[:port].
func ValidateOrigins(origins []string) error {
	var errs []error
	for _, origin := range origins {
		errs = append(errs, http.NewCrossOriginProtection().AddTrustedOrigin(origin))
	}
	return errors.Join(errs...)
}

// A guard decides which requests of browsers are let in.
type guard struct {
	origins []string
	hosts   []string
	csrf    *http.CrossOriginProtection
	preset  map[string]http.Header // the CORS headers for each origin
}

func newGuard(origins, hosts []string) *guard {
	if origins == nil {
		origins = DefaultOrigins()
	}
	g := &guard{hosts: hosts, csrf: http.NewCrossOriginProtection(), preset: map[string]http.Header{}}
	for _, origin := range origins {
		if g.csrf.AddTrustedOrigin(origin) != nil {
			continue
		}
		g.origins = append(g.origins, origin)
		g.preset[origin] = http.Header{
			"Access-Control-Allow-Origin":      {origin},
			"Access-Control-Allow-Credentials": {"true"},
			"Access-Control-Expose-Headers":    {"ETag, Idempotent-Replayed, Link, Location, Retry-After, X-Total-Count"},
		}
	}
	return g
}

// admit refuses what a page of a foreign origin must not do, and adds the CORS
// headers (Fetch standard, 3.2) for a page of an allowed one.
func (g *guard) admit(h http.Header, r *http.Request) error {
	if !g.answersTo(r.Host) {
		return refuse(http.StatusMisdirectedRequest, "this API doesn't answer under the name %s", quote(r.Host))
	}
	origin := r.Header.Get("Origin")
	preset, allowed := g.preset[origin]
	for name, values := range preset {
		h[name] = values
	}
	if isPreflight(r) {
		if !allowed {
			return g.foreign(origin)
		}
		h.Set("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE")
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Traceparent, X-User-ID")
		h.Set("Access-Control-Max-Age", "600")
		return nil
	}
	if g.csrf.Check(r) != nil || !allowed && maybeRebound(r, origin) {
		return g.foreign(origin)
	}
	return nil
}

func (g *guard) foreign(origin string) error {
	return refuse(http.StatusForbidden, "a page of the origin %s may not use this API (allowed: %s)", quote(origin), strings.Join(g.origins, ", "))
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// maybeRebound reports a write by a page that claims to be of this server, where
// that can't be believed: CrossOriginProtection takes Origin equal to Host for
// proof, but a name can be rebound to this address after its page was loaded.
// Browsers send Sec-Fetch-Site to https and localhost only, which can't be.
func maybeRebound(r *http.Request, origin string) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return origin != "" && r.Header.Get("Sec-Fetch-Site") == "" && !isFixed(hostname(r.Host))
}

func (g *guard) answersTo(host string) bool {
	if len(g.hosts) == 0 || host == "" {
		return true
	}
	name := hostname(host)
	return isFixed(name) || slices.ContainsFunc(g.hosts, func(h string) bool { return strings.EqualFold(h, name) })
}

// isFixed reports whether no name server has a say in where name points to.
func isFixed(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil || strings.EqualFold(name, "localhost")
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}
