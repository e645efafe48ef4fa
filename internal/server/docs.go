package server

import (
	_ "embed"
	"net/http"
)

//go:embed openapi.json
var openAPI []byte

func (s *server) openAPI(w *response, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/json")
	w.write(http.StatusOK, openAPI)
	return nil
}

func (s *server) docsPage(w *response, _ *http.Request) error {
	page, err := s.docs()
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.write(http.StatusOK, page)
	return nil
}

// index is the answer at /.
type index struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Docs    string `json:"docs"`
	OpenAPI string `json:"openapi"`
	Tasks   string `json:"tasks"`
	Health  string `json:"health"`
}

func (s *server) index(w *response, _ *http.Request) error {
	return s.writeJSON(w, http.StatusOK, index{
		Name: "todoctl task API", Version: s.version,
		Docs: "/docs", OpenAPI: "/openapi.json", Tasks: "/api/{user_id}/tasks", Health: "/health",
	})
}
