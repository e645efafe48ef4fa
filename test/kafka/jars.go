package kafka

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ErrMissing says that a program which Apache Kafka needs isn't here.
var ErrMissing = errors.New("java (17 or later) or mvn is not installed: Apache Kafka can't run")

//go:embed pom.xml
var brokerPOM []byte

//go:embed tools.xml
var toolsPOM []byte

// jars returns the folder with the jars that a pom names below the user's cache folder.
// The first call ever has Maven fetch them, which it tells progress; calls from several
// processes wait for that one.
func jars(ctx context.Context, pom []byte, progress io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "todoctl", fmt.Sprintf("kafka-%x", sha256.Sum256(pom))[:18])
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return "", err
	}
	lock := flock.New(dir + ".lock")
	if _, err := lock.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return "", fmt.Errorf("lock %s: %w", dir, err)
	}
	defer func() { _ = lock.Unlock() }()
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	return dir, fetch(ctx, pom, dir, progress)
}

// fetch fills a folder that has another name until all is there.
func fetch(ctx context.Context, pom []byte, dir string, progress io.Writer) error {
	mvn, err := exec.LookPath("mvn")
	if err != nil {
		return ErrMissing
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), "part")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(part) }() // it has become dir, or is of no use
	file := filepath.Join(part, "pom.xml")
	if err := os.WriteFile(file, pom, 0o600); err != nil {
		return err
	}
	fmt.Fprintf(progress, "fetching Apache Kafka (some 40 MB) with Maven into %s, once\n", dir)
	cmd := exec.CommandContext(ctx, mvn, "-B", "-q", "-f", file, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory="+part)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("fetch Apache Kafka: %w: %s", err, out)
	}
	return os.Rename(part, dir)
}
