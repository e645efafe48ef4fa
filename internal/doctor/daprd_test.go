package doctor

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/todoctl/todoctl/internal/stack"
)

// daprd is the real sidecar; without one the test is skipped.
func daprd(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TODOCTL_DAPRD")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "daprd")
	}
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no daprd (make daprd, or TODOCTL_DAPRD): %v", err)
	}
	return path
}

// startDaprd runs a real sidecar with the folder until the test ends, or returns why
// it doesn't start.
func startDaprd(t *testing.T, dir string) (*stack.Sidecar, error) {
	t.Helper()
	s, err := stack.StartSidecar(t.Context(), stack.SidecarOptions{
		Daprd: daprd(t), AppID: "todo-backend", Dir: t.TempDir(), ResourcesPath: []string{dir},
		Env: os.Environ(), Log: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		t.Cleanup(func() { _ = s.Stop(t.Context()) })
	}
	return s, err
}
