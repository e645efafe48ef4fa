package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// describe prints the machine and the versions of what is measured.
func (r *rig) describe(ctx context.Context) error {
	sync, err := syncTime(r.dir)
	if err != nil {
		return err
	}
	versions, err := r.versions(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.out, "`%s`\n\n", strings.TrimSpace("go run ./bench "+strings.Join(r.args, " ")))
	fmt.Fprintf(r.out, "- machine: %d cores (%s), %s of memory, %s %s, load average %s at the start\n", runtime.NumCPU(),
		field("/proc/cpuinfo", "model name"), memoryTotal(), runtime.GOOS, kernel(), loadAverage())
	fmt.Fprintf(r.out, "- disk: 4 KiB written and synced in %s\n", sync.Round(10*time.Microsecond))
	fmt.Fprintf(r.out, "- versions: %s\n", strings.Join(versions, ", "))
	fmt.Fprintf(r.out, "- %d rounds of %s, %d clients\n", r.rounds, r.round, r.clients)
	return nil
}

func (r *rig) versions(ctx context.Context) ([]string, error) {
	metadata, err := r.sidecar.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	list := []string{runtime.Version(), "Dapr " + metadata.Version}
	for _, db := range r.databases {
		version, err := db.version(ctx)
		if err != nil {
			return nil, err
		}
		list = append(list, version)
	}
	return list, nil
}

// syncTime is the median time of a small write with its fsync.
func syncTime(dir string) (time.Duration, error) {
	file, err := os.CreateTemp(dir, "sync") // removed with the folder
	if err != nil {
		return 0, err
	}
	defer file.Close()
	var times spread
	page := make([]byte, 4<<10)
	for range 50 {
		began := time.Now()
		if _, err := file.Write(page); err != nil {
			return 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, err
		}
		times = append(times, float64(time.Since(began)))
	}
	return time.Duration(times.median()), nil
}

// field is the first value of a name in a file of /proc, "?" where there is none.
func field(path, name string) string {
	file, err := os.Open(filepath.Clean(path))
	if err != nil {
		return "?"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

func memoryTotal() string {
	var kilobytes float64
	if _, err := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kilobytes); err != nil {
		return "?"
	}
	return fmt.Sprintf("%.0f GB", kilobytes*1024/1e9)
}

func kernel() string { return firstWord("/proc/sys/kernel/osrelease") }

func loadAverage() string { return firstWord("/proc/loadavg") }

func firstWord(path string) string {
	text, err := os.ReadFile(filepath.Clean(path))
	if words := strings.Fields(string(text)); err == nil && len(words) > 0 {
		return words[0]
	}
	return "?"
}
