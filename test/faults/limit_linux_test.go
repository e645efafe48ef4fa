package faults

import (
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// newFileLimit is a room where no file system can be mounted: a process may make no
// file longer than the longest that it has. Its error is EFBIG rather than ENOSPC.
func newFileLimit(dir string, c *child) room { return &fileLimit{dir: dir, child: c} }

type fileLimit struct {
	dir   string
	child *child
	free  unix.Rlimit // what holds when there is room
}

func (l *fileLimit) shrink() error {
	longest := uint64(0)
	err := filepath.WalkDir(l.dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			longest = max(longest, uint64(info.Size()))
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := unix.Prlimit(l.child.pid(), unix.RLIMIT_FSIZE, nil, &l.free); err != nil {
		return err
	}
	return unix.Prlimit(l.child.pid(), unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: longest, Max: l.free.Max}, nil)
}

func (l *fileLimit) grow() error {
	return unix.Prlimit(l.child.pid(), unix.RLIMIT_FSIZE, &l.free, nil)
}
