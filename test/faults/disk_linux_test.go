package faults

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A smallDisk is a file system in memory that can be full.
type smallDisk struct{ dir string }

// roomy is its size while it isn't full, in bytes; only what is used takes memory.
const roomy = 8 << 30

// newSmallDisk mounts one; nil where that isn't allowed.
func newSmallDisk(t *testing.T, dir string) *smallDisk {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0755", roomy)); err != nil {
		t.Logf("no tmpfs can be mounted: %v", err)
		return nil
	}
	t.Cleanup(func() {
		if t.Failed() { // it is gone with its last user
			if err := os.CopyFS(dir+"-kept", os.DirFS(dir)); err != nil {
				t.Error(err)
			}
		}
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return &smallDisk{dir}
}

// fill makes the file system as small as what is in it until last returns.
func (d *smallDisk) fill(last func()) error {
	if err := d.shrink(); err != nil {
		return fmt.Errorf("fill %s: %w", d.dir, err)
	}
	last()
	return d.grow()
}

// grow makes room again.
func (d *smallDisk) grow() error { return d.resize(roomy) }

// shrink leaves no room: it makes the file system as small as what is in it. It tries
// again when more was written meanwhile.
func (d *smallDisk) shrink() (err error) {
	for range 20 {
		var s unix.Statfs_t
		if err := unix.Statfs(d.dir, &s); err != nil {
			return err
		}
		if err = d.resize((s.Blocks - s.Bfree) * uint64(s.Bsize)); err == nil {
			return nil
		}
	}
	return err
}

func (d *smallDisk) resize(size uint64) error {
	return unix.Mount("tmpfs", d.dir, "tmpfs", unix.MS_REMOUNT, fmt.Sprintf("size=%d", size))
}
