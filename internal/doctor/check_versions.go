package doctor

import (
	"context"
	"fmt"

	"github.com/todoctl/todoctl/internal/stack"
)

// versionsCheck is environment.versions, of programs that don't run yet;
// sidecar.version has the sidecar that runs.
func (s *subject) versionsCheck() Check {
	return Check{
		ID: "environment.versions", Severity: Warning, Title: "Dapr's programs here are of versions that fit",
		Symptom: "`unknown flag`, or dapr run starts another daprd than was meant", Cause: "the Dapr CLI or the daprd that is found is far older or newer than what todoctl is built with",
		Mend: "install the Dapr CLI of version 1.18, and dapr init --slim --runtime-version 1.18.3; or make daprd", Needs: []string{"environment.daprd"}, Run: s.checkVersions,
	}
}

func (s *subject) checkVersions(ctx context.Context) Result {
	if s.Foreign || s.runs() || !s.Publishes {
		return beside()
	}
	var r Result
	tell := func(what, version, path string) {
		if fits(version) {
			return
		}
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("%s is of version %s, and todoctl is built for %s.", what, version, builtWords),
			Evidence: facts("found", version, "wanted", builtWords, "file", path),
		})
	}
	if path, err := s.FindDaprd(); err == nil && !s.side() {
		if version, err := stack.DaprdVersion(ctx, path); err == nil {
			tell("The daprd that would be started", version, path)
		}
	}
	if path, err := s.lookPath("dapr"); err == nil {
		if version, err := stack.DaprCLIVersion(ctx, path); err == nil {
			tell("The Dapr CLI", version, path)
		}
	}
	return r
}

// lookPath finds a program.
func (s *subject) lookPath(name string) (string, error) {
	if s.PathLookup != nil {
		return s.PathLookup(name)
	}
	return stack.LookPath(name)
}

// builtWith is the version of Dapr that todoctl is proven with; Dapr itself supports
// three minor versions at a time.
const (
	builtWith  = 18
	farApart   = 4
	builtWords = "1.18"
)

// fits tells whether a version of Dapr isn't far from ours; true also for what is no
// version, such as edge.
func fits(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return true
	}
	return major == 1 && minor > builtWith-farApart && minor < builtWith+farApart
}
