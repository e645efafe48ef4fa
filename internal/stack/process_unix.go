//go:build unix

package stack

import (
	"context"
	"os/exec"
	"syscall"
)

// terminate asks the process group to stop.
func (p *process) terminate(context.Context, Endpoint) error {
	return signalGroup(p.pid(), syscall.SIGTERM)
}

// kill ends the process group at once.
func (p *process) kill() { _ = signalGroup(p.pid(), syscall.SIGKILL) }

func signalGroup(pid int, sig syscall.Signal) error { return syscall.Kill(-pid, sig) }

// killLeftover ends a process group of an earlier run.
func killLeftover(pid int) error { return signalGroup(pid, syscall.SIGKILL) }

// tie has nothing to do here: separate has said it all before the start.
func tie(*exec.Cmd) (release func(), err error) { return func() {}, nil }
