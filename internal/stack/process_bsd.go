//go:build unix && !linux

package stack

import (
	"os/exec"
	"syscall"
)

// separate gives the child a process group of its own. There is no parent-death
// signal here; endLeftover makes up for it.
func separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}
