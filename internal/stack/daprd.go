package stack

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// ErrNoDaprd is returned by FindDaprd when there is no sidecar binary anywhere.
var ErrNoDaprd = errors.New("no Dapr sidecar (daprd) found: run `make daprd` in the checkout, or `dapr init --slim`, or name one with --daprd PATH")

// FindOptions says where to look for daprd. Empty fields are passed over.
type FindOptions struct {
	Explicit   string                       // value of --daprd
	Env        string                       // value of TODOCTL_DAPRD
	SelfDir    string                       // folder of the running todoctl
	PathLookup func(string) (string, error) // nil: exec.LookPath
	Home       string                       // the user's home folder
}

// FindDaprd returns the path of the sidecar binary: the one named by --daprd, by
// TODOCTL_DAPRD, beside todoctl, on PATH, or where the Dapr CLI installs it. A
// named one that can't be run is an error; it never falls through to the next.
// Without any the error is ErrNoDaprd.
func FindDaprd(opts FindOptions) (string, error) {
	named := []struct{ source, path string }{
		{"--daprd", opts.Explicit},
		{"TODOCTL_DAPRD", opts.Env},
	}
	for _, n := range named {
		if n.path == "" {
			continue
		}
		if err := executable(n.path); err != nil {
			return "", fmt.Errorf("daprd named by %s: %w", n.source, err)
		}
		return filepath.Abs(n.path)
	}
	name := daprdName()
	if path := filepath.Join(opts.SelfDir, name); opts.SelfDir != "" && executable(path) == nil {
		return path, nil
	}
	if opts.PathLookup == nil {
		opts.PathLookup = exec.LookPath
	}
	if path, err := opts.PathLookup(name); err == nil {
		return filepath.Abs(path)
	}
	if path := filepath.Join(opts.Home, ".dapr", "bin", name); opts.Home != "" && executable(path) == nil {
		return path, nil
	}
	return "", ErrNoDaprd
}

func daprdName() string {
	if runtime.GOOS == "windows" {
		return "daprd.exe"
	}
	return "daprd"
}

// executable tells why path can't be run, or returns nil.
func executable(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s doesn't exist", path)
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		return fmt.Errorf("%s is a folder", path)
	}
	if runtime.GOOS != "windows" && info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not executable: chmod +x it", path)
	}
	return nil
}
