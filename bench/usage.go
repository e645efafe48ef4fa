package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of the times in /proc; Linux reports all of them so to programs.
const tick = 10 * time.Millisecond

// A usage is what /proc tells of a process.
type usage struct {
	parent int
	time   time.Duration // of all cores, with that of the children that have ended
}

// processes lists what runs; nothing where there is no /proc.
func processes() map[int]usage {
	list := map[int]usage{}
	paths, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well-formed
	for _, path := range paths {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if text, err := os.ReadFile(filepath.Clean(path)); err == nil { // it may have ended
			list[pid] = parseStat(string(text))
		}
	}
	return list
}

// parseStat reads what proc(5) says of stat: the parent is field 4, the times are
// fields 14 to 17. Field 2, the program's name in parentheses, may hold anything.
func parseStat(text string) usage {
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 15 {
		return usage{}
	}
	var p usage
	p.parent, _ = strconv.Atoi(fields[1]) // a number, says the kernel
	for _, field := range fields[11:15] {
		n, _ := strconv.ParseInt(field, 10, 64)
		p.time += time.Duration(n) * tick
	}
	return p
}

// cpuTime is what the process and all below it have taken of the cores.
func cpuTime(list map[int]usage, pid int) time.Duration {
	total := list[pid].time
	for child, p := range list {
		if p.parent == pid && child != pid {
			total += cpuTime(list, child)
		}
	}
	return total
}

// A meter measures what parts take of the cores meanwhile.
type meter struct {
	pids  map[string]int
	began map[string]time.Duration
}

func startMeter(pids map[string]int) meter {
	m := meter{pids: pids}
	m.began = m.now()
	return m
}

func (m meter) now() map[string]time.Duration {
	times, list := map[string]time.Duration{}, processes()
	for part, pid := range m.pids {
		times[part] = cpuTime(list, pid)
	}
	return times
}

// each is the time of every part for one of n changes, in microseconds.
func (m meter) each(n int) map[string]float64 {
	times := map[string]float64{}
	for part, now := range m.now() {
		times[part] = microseconds(now-m.began[part], n)
	}
	return times
}

func microseconds(d time.Duration, n int) float64 {
	return float64(d) / float64(time.Microsecond) / float64(max(n, 1))
}

// memory is a field of proc(5)'s status in MB: VmRSS is what the process holds in
// memory, VmHWM the most that it ever did.
func memory(pid int, name string) (float64, error) {
	var kilobytes float64
	if _, err := fmt.Sscanf(field(fmt.Sprintf("/proc/%d/status", pid), name), "%f kB", &kilobytes); err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return kilobytes * 1024 / 1e6, nil
}
