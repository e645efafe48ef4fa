//go:build unix

package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var (
	seedFlag    = flag.Uint64("faults.seed", 0, "seed of faults and load; 0 for 1, long for a new one")
	longFlag    = flag.Bool("faults.long", false, "run the long campaign")
	countFlag   = flag.Int("faults.count", 0, "faults of a campaign; 0 for 11, long 210")
	changesFlag = flag.Int("faults.changes", 0, "changes that a campaign waits for; 0 for 5,000, long 100,000")
	kafkaFlag   = flag.Bool("faults.kafka", false, "run the campaign on a node of Apache Kafka")
	keepFlag    = flag.Bool("faults.keep", false, "keep the folder of a campaign that passes too")
)

// The campaign starts this test binary again as its broker.
func TestMain(m *testing.M) {
	if config := os.Getenv(brokerVariable); config != "" {
		if err := runBroker(config); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	// Campaigns wait more than they work: three at a time do on two processors.
	if err := flag.Set("test.parallel", "3"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(withFolder(m.Run))
}

// binaries is the folder of the programs that the tests build.
var binaries string

func withFolder(run func() int) int {
	var err error
	if binaries, err = os.MkdirTemp("", "todoctl-faults-bin-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(binaries)
	return run()
}

// programs are the binaries that a campaign runs.
type programs struct {
	todoctl, daprd string
}

// build makes todoctl with failpoints, once for all tests.
var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaries, "todoctl")
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "go", "build", "-tags", "failpoint", "-o", path, "../../cmd/todoctl").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build todoctl: %w\n%s", err, out)
	}
	return path, nil
})

// needPrograms builds todoctl and finds daprd and kcat, or skips the test.
func needPrograms(t *testing.T) programs {
	t.Helper()
	if testing.Short() {
		t.Skip("half a minute of faults")
	}
	if _, err := exec.LookPath("kcat"); err != nil {
		missing(t, "kcat, with which the checker reads the topic, is not installed")
	}
	daprd := os.Getenv("TODOCTL_DAPRD")
	if daprd == "" {
		daprd = "../../bin/daprd"
	}
	daprd, err := filepath.Abs(daprd)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(daprd); err != nil {
		missing(t, "no sidecar: run `make daprd`, or set TODOCTL_DAPRD")
	}
	todoctl, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return programs{todoctl, daprd}
}

// missing skips a test for want of a program; in CI that is a failure.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// poll asks until the answer is yes, and returns false when ctx ends before.
func poll(ctx context.Context, holds func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}

// pause waits, and returns early when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
