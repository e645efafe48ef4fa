//go:build unix && !linux

package faults

import "syscall"

// ownGroup gives a child a process group of its own. A test that is killed itself
// leaves its children behind here.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
