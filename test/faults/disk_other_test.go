//go:build unix && !linux

package faults

import "testing"

// A smallDisk is a file system that can be filled up; there is none here.
type smallDisk struct{ dir string }

func newSmallDisk(t *testing.T, _ string) *smallDisk {
	t.Helper()
	t.Log("file systems are mounted on Linux only")
	return nil
}

func (*smallDisk) fill(func()) error { return nil }
func (*smallDisk) shrink() error     { return nil }
func (*smallDisk) grow() error       { return nil }

func newFileLimit(string, *child) room { return nil }
