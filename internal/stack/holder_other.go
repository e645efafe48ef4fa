//go:build !linux

package stack

// portHolder can't tell here who listens on a port.
func portHolder(int) (pid int, program string) { return 0, "" }

// openPort can't tell here.
func openPort(int) bool { return false }
