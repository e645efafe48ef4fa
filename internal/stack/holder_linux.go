package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portHolder returns the process that listens on a TCP port, from /proc; zero
// values when there is none, or it is another user's.
func portHolder(port int) (pid int, program string) {
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeners(table, port, sockets)
	}
	if len(sockets) == 0 {
		return 0, ""
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return 0, ""
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !sockets[target] {
			continue
		}
		id := strings.Split(link, "/")[2]
		pid, _ = strconv.Atoi(id)
		name, _ := os.ReadFile("/proc/" + id + "/comm")
		return pid, strings.TrimSpace(string(name))
	}
	return 0, ""
}

// listeners adds the sockets that listen on port, as /proc/PID/fd names them.
// Format: proc_net_tcp.txt of the kernel's documentation.
func listeners(table string, port int, sockets map[string]bool) {
	const listening = "0A"
	text, err := os.ReadFile(table)
	if err != nil {
		return
	}
	suffix := fmt.Sprintf(":%04X", port)
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) > 9 && f[3] == listening && strings.HasSuffix(f[1], suffix) {
			sockets["socket:["+f[9]+"]"] = true
		}
	}
}

// openPort looks for a listener on the address that stands for all.
func openPort(port int) bool {
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		suffix := fmt.Sprintf(":%04X", port)
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], suffix) && strings.Trim(strings.TrimSuffix(f[1], suffix), "0") == "" {
				return true
			}
		}
	}
	return false
}
