package stack

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
)

// A Lock keeps a data folder to one stack. It goes with the process, however that
// ends.
type Lock struct{ file *flock.Flock }

// LockDir makes the data folder, when it isn't there, and locks it. When another
// stack has it, the error names that one's pid and address.
func LockDir(dir string) (*Lock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	file := flock.New(filepath.Join(dir, "dev.lock"), flock.SetPermissions(0o600))
	locked, err := file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("data folder %s can't be locked: %w", dir, err)
	}
	if locked {
		return &Lock{file}, nil
	}
	if run, err := ReadRun(dir); err == nil {
		return nil, fmt.Errorf("a stack already runs in %s: pid %d, API http://%s: use that one, or another --data-dir", dir, run.PID, run.APIAddr)
	}
	return nil, fmt.Errorf("another todoctl is just starting or stopping in %s: try again, or use another --data-dir", dir)
}

// Unlock gives the folder free. The lock file stays: removing it could take it
// away from under another process that has just opened it.
func (l *Lock) Unlock() error { return l.file.Unlock() }
