package stack

import (
	"path/filepath"
	"testing"
)

func TestLockDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", ".todoctl")
	lock, err := LockDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = LockDir(dir)
	wantError(t, err, "just starting or stopping in "+dir)

	if err := WriteRun(dir, Run{APIAddr: "127.0.0.1:8001"}); err != nil {
		t.Fatal(err)
	}
	_, err = LockDir(dir)
	wantError(t, err, "a stack already runs in "+dir, "pid ", "http://127.0.0.1:8001", "--data-dir")

	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
	again, err := LockDir(dir)
	if err != nil {
		t.Fatalf("after Unlock: %v", err)
	}
	if err := again.Unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockDirUnwritable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	writeTestFile(t, file, "", 0o600)
	_, err := LockDir(filepath.Join(file, ".todoctl"))
	wantError(t, err, "data folder", file)
}
