package stack

import (
	"os/exec"
	"syscall"
)

// separate gives the child a process group of its own and has the kernel kill it
// when its parent dies. SIGKILL, not SIGTERM: a graceful stop may wait for
// messages in flight to an app that is no more, while its ports are needed again.
func separate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
