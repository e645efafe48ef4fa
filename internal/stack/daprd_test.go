package stack

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

func TestFindDaprd(t *testing.T) {
	dir := t.TempDir()
	place := func(parts ...string) string {
		path := filepath.Join(append([]string{dir}, parts...)...)
		writeTestFile(t, path, "#!/bin/sh\n", 0o700)
		return path
	}
	explicit, env := place("explicit"), place("env")
	self, home, onPath := place("self", daprdName()), place("home", ".dapr", "bin", daprdName()), place("path", daprdName())
	found := func(string) (string, error) { return onPath, nil }
	none := func(string) (string, error) { return "", exec.ErrNotFound }
	selfDir, homeDir := filepath.Dir(self), filepath.Join(dir, "home")

	tests := []struct {
		name string
		opts FindOptions
		want string
	}{
		{"flag first", FindOptions{explicit, env, selfDir, found, homeDir}, explicit},
		{"then environment", FindOptions{"", env, selfDir, found, homeDir}, env},
		{"then beside todoctl", FindOptions{"", "", selfDir, found, homeDir}, self},
		{"then PATH", FindOptions{"", "", dir, found, homeDir}, onPath},
		{"then the CLI's", FindOptions{"", "", dir, none, homeDir}, home},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := FindDaprd(tt.opts)
			if err != nil || got != tt.want {
				t.Errorf("%q, %v; want %q", got, err, tt.want)
			}
		})
	}
	if _, err := FindDaprd(FindOptions{PathLookup: none, Home: dir}); !errors.Is(err, ErrNoDaprd) {
		t.Errorf("with none anywhere: %v", err)
	}
}

func TestFindDaprdNamed(t *testing.T) {
	dir := t.TempDir()
	_, err := FindDaprd(FindOptions{Explicit: filepath.Join(dir, "nope"), Home: dir})
	wantError(t, err, "--daprd", "nope doesn't exist")
	_, err = FindDaprd(FindOptions{Env: dir})
	wantError(t, err, "TODOCTL_DAPRD", "is a folder")
	if runtime.GOOS != "windows" {
		plain := filepath.Join(dir, "plain")
		writeTestFile(t, plain, "", 0o600)
		_, err = FindDaprd(FindOptions{Explicit: plain})
		wantError(t, err, "--daprd", "plain is not executable")
	}
}
