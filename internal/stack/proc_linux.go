package stack

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// processStart returns a text that, with its pid, tells a process from every other
// since boot; os.ErrProcessDone when there is none, or only a zombie. The text is
// field 22 of proc(5)'s stat, the start in clock ticks after boot.
func processStart(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", os.ErrProcessDone
	}
	// The second field, the program's name in parentheses, may hold anything.
	_, rest, ok := strings.Cut(string(stat[max(bytes.LastIndexByte(stat, ')'), 0):]), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", fmt.Errorf("unexpected form of /proc/%d/stat", pid)
	}
	// The main thread of a killed process may be a zombie while others still hold
	// its ports; the 18th field counts them.
	threads, err := strconv.Atoi(fields[17])
	if (fields[0] == "Z" || fields[0] == "X") && err == nil && threads <= 1 {
		return "", os.ErrProcessDone
	}
	return fields[19], nil
}

// processArgs returns a process's command line, its arguments joined by spaces.
func processArgs(pid int) (string, error) {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "", err
	}
	return string(bytes.TrimSpace(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))), nil
}
