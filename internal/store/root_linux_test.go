package store

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// leaveRoot takes from a test that runs as root its power to write everywhere: until
// the function that it returns is called, this goroutine goes to the file system as
// nobody, to whom the paths belong from here on.
func leaveRoot(t *testing.T, paths ...string) func() {
	t.Helper()
	if os.Getuid() != 0 {
		return func() {}
	}
	const nobody = 65534
	for _, path := range paths {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	runtime.LockOSThread()
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := unix.SetfsuidRetUid(0); err != nil {
			t.Error(err) // the thread stays locked, and ends with the goroutine
			return
		}
		runtime.UnlockOSThread()
	}
}
