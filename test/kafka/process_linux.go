package kafka

import "syscall"

// attributes have the kernel kill a node when the thread that started it ends.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
