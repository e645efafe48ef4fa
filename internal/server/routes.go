package server

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// unmatched is the route of the requests that have none, in metrics and log.
const unmatched = "unmatched"

// A route is one line of the API: openapi.json has an operation for each.
type route struct {
	method string // "" is every method that the path has no route for
	path   string // with wildcards as http.ServeMux has them
	serve  func(*response, *http.Request) error
}

func (s *server) routes(reg *prometheus.Registry) []route {
	routes := []route{
		{"GET", "/", s.index},
		{"GET", "/livez", s.livez},
		{"GET", "/readyz", s.readyz},
		{"GET", "/health", s.health},
		{"GET", "/metrics", serveBy(promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))},
		{"GET", "/openapi.json", s.openAPI},
		{"GET", "/docs", s.docsPage},
	}
	for _, tasks := range []string{"/api/{user_id}/tasks", "/api/tasks"} {
		routes = append(routes,
			route{"GET", tasks, s.list},
			route{"POST", tasks, s.create},
			route{"GET", tasks + "/stream", s.stream},
			route{"GET", tasks + "/{id}", s.show},
			route{"PUT", tasks + "/{id}", s.update},
			route{"PATCH", tasks + "/{id}", s.update},
			route{"DELETE", tasks + "/{id}", s.remove},
			route{"PATCH", tasks + "/{id}/complete", s.toggle},
			route{"POST", tasks + "/{id}/complete", s.toggle},
		)
	}
	return routes
}

// register fills the muxes. Each path gets a handler for the methods it has
// no route for, and each mux one for the paths it doesn't know: ServeMux's own
// answers to those are plain text.
func (s *server) register(routes []route) {
	s.own, s.streams, s.everyone = http.NewServeMux(), http.NewServeMux(), http.NewServeMux()
	allowed := map[string][]string{}
	for _, rt := range routes {
		s.handle(s.muxOf(rt.path), rt)
		allowed[rt.path] = append(allowed[rt.path], rt.method)
	}
	for path, methods := range allowed {
		s.handle(s.muxOf(path), route{path: path, serve: otherMethods(methods)})
	}
	for _, mux := range []*http.ServeMux{s.own, s.streams, s.everyone} {
		mux.Handle("/", s.handler(route{path: unmatched, serve: func(_ *response, r *http.Request) error {
			return noSuchPath(r)
		}}))
	}
}

func (s *server) handle(mux *http.ServeMux, rt route) {
	pattern := rt.path
	if pattern == "/" {
		pattern = "/{$}"
	}
	mux.Handle(strings.TrimSpace(rt.method+" "+pattern), s.handler(rt))
}

func (s *server) handler(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res := w.(*response) // of ServeHTTP, the only caller of the muxes
		res.route = rt.path
		if err := rt.serve(res, r); err != nil {
			s.fail(res, r, err)
		}
	})
}

// muxOf tells the two families of paths apart, which in one ServeMux would be in
// conflict: /api/tasks/{id} and /api/{user_id}/tasks both match /api/tasks/tasks.
// An id is a number, so whatever follows /api/tasks/tasks belongs to a user
// called tasks, and all else below /api/tasks has no user in its path: no request
// is left that could mean both. A stream's path is that of no task, and stands
// apart since the methods it has not would be those of a task in one ServeMux.
func (s *server) muxOf(path string) *http.ServeMux {
	if strings.HasSuffix(path, "/tasks/stream") {
		return s.streams
	}
	rest, ok := strings.CutPrefix(path+"/", "/api/tasks/")
	if ok && !strings.HasPrefix(rest, "tasks/") {
		return s.own
	}
	return s.everyone
}

// otherMethods answers the methods that a path has no route for: OPTIONS with
// what it has, every other one with 405.
func otherMethods(methods []string) func(*response, *http.Request) error {
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	methods = append(methods, http.MethodOptions)
	slices.Sort(methods)
	allow := strings.Join(methods, ", ")
	return func(w *response, r *http.Request) error {
		w.Header().Set("Allow", allow)
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return refuse(http.StatusMethodNotAllowed, "%s isn't possible here, only %s", quote(r.Method), allow)
	}
}

func noSuchPath(r *http.Request) error {
	return refuse(http.StatusNotFound, "there is nothing at %s; the paths of the API are listed at /docs and /openapi.json", quote(r.URL.Path))
}

func serveBy(h http.Handler) func(*response, *http.Request) error {
	return func(w *response, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
