//go:build unix && !linux

package stack

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// processStart returns a text that, with its pid, tells a process from every
// other; os.ErrProcessDone when there is none, or only a zombie.
func processStart(pid int) (string, error) {
	state, err := ps(pid, "state=")
	if err != nil || state == "" || strings.HasPrefix(state, "Z") {
		return "", os.ErrProcessDone
	}
	return ps(pid, "lstart=")
}

// processArgs returns a process's command line, its arguments joined by spaces.
func processArgs(pid int) (string, error) { return ps(pid, "args=") }

func ps(pid int, column string) (string, error) {
	out, err := exec.Command("ps", "-ww", "-o", column, "-p", strconv.Itoa(pid)).Output() //nolint:noctx // it answers at once
	return strings.TrimSpace(string(out)), err
}
