//go:build unix

package notify

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestDesktopRuns runs a program in notify-send's place and reads the arguments
// that reached it.
func TestDesktopRuns(t *testing.T) {
	dir := t.TempDir()
	program := "#!/bin/sh\nprintf '%s\\n' \"$@\" >\"$0.args\"\n"
	if err := os.WriteFile(filepath.Join(dir, "notify-send"), []byte(program), 0o700); err != nil {
		t.Fatal(err)
	}
	desktop, err := NewDesktop("linux", func(ctx context.Context, name string, args ...string) error {
		return exec.CommandContext(ctx, filepath.Join(dir, name), args...).Run()
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, title := range hostileTitles() {
		n := groceries()
		n.Title = title
		if err := desktop.Send(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		args, err := os.ReadFile(filepath.Join(dir, "notify-send.args"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff("--app-name=todoctl\n--\n"+n.Subject()+"\nDue Tue 17 Feb 2026, 13:00 UTC.\n", string(args)); diff != "" {
			t.Errorf("%q: %s", title, diff)
		}
	}
}
