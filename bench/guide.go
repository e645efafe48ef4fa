package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A guide runs the backend of the old setup guide: see guide-backend/main.py.
type guide struct {
	asked   bool
	python  string // of the environment with its packages
	missing error  // why there is none
}

// install makes a Python environment with the backend's packages, once. The error
// says in one line why that can't be had.
func (g *guide) install(ctx context.Context, r *rig) error {
	if g.asked {
		return g.missing
	}
	g.asked = true
	if r.guide == "" {
		g.missing = errors.New("it was left out")
		return g.missing
	}
	dir := r.venv
	if dir == "" {
		dir = filepath.Join(r.dir, "venv")
	}
	g.python = filepath.Join(dir, "bin", "python")
	for _, argv := range [][]string{
		{"python3", "-m", "venv", dir},
		{g.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", filepath.Join(r.guide, "requirements.txt")},
	} {
		r.note("%s", strings.Join(argv, " "))
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Env = r.env
		if out, err := cmd.CombinedOutput(); err != nil {
			g.missing = errors.New(lastLine(fmt.Sprintf("%s\n%v", out, err), argv[0]))
			break
		}
	}
	return g.missing
}

// lastLine is the last line that tells something, of what a program printed.
func lastLine(text, program string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := lines[len(lines)-1]
	if len(lines) > 1 && strings.HasPrefix(line, "exit status") {
		line = lines[len(lines)-2]
	}
	return filepath.Base(program) + ": " + strings.TrimSpace(line)
}

// serve starts the backend as the guide does, with uvicorn.
func (g *guide) serve(ctx context.Context, r *rig, database string) (*backend, error) {
	addr, err := freeAddr(ctx)
	if err != nil {
		return nil, err
	}
	host, port, _ := strings.Cut(addr, ":")
	p, err := r.start(ctx, command{
		dir: r.guide,
		env: append(r.sidecarEnv(), "DATABASE_URL="+database, "PYTHONDONTWRITEBYTECODE=1"),
		argv: []string{g.python, "-m", "uvicorn", "main:app", "--host", host, "--port", port,
			"--no-access-log", "--log-level", "warning"},
	})
	if err != nil {
		return nil, err
	}
	err = p.until(ctx, 30*time.Second, "the guide's backend answers", func() bool { return answers(ctx, addr, "/health") })
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return &backend{p, addr}, nil
}

// answers reports whether a GET of the path is answered with 200.
func answers(ctx context.Context, addr, path string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, response.Body)
	return errors.Join(err, response.Body.Close()) == nil && response.StatusCode == http.StatusOK
}
