package doctor

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/troubleshooting.md anew")

func TestTroubleshooting(t *testing.T) {
	path := filepath.Join("..", "..", "docs", "troubleshooting.md")
	want := Troubleshooting()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(have)); diff != "" {
		t.Errorf("docs/troubleshooting.md is not what the checks say; go test ./internal/doctor -run Troubleshooting -update (-want +got):\n%s", diff)
	}
}
