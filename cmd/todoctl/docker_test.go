//go:build unix

package main

import (
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// fakedocker: puts testdata/docker/docker first on PATH; it answers as Docker's client
// does where there is an engine. Files in docker/ say what is wrong with it.
func fakeDocker(ts *testscript.TestScript, _ bool, _ []string) {
	program, err := os.ReadFile(filepath.Join(ts.Value("testdata").(string), "docker", "docker"))
	ts.Check(err)
	state, bin := ts.MkAbs("docker"), ts.MkAbs("fakebin")
	ts.Check(os.MkdirAll(state, 0o700))
	ts.Check(os.MkdirAll(bin, 0o700))
	ts.Check(os.WriteFile(filepath.Join(bin, "docker"), program, 0o700))
	ts.Setenv("FAKE_DOCKER", state)
	ts.Setenv("PATH", bin+string(os.PathListSeparator)+ts.Getenv("PATH"))
}
