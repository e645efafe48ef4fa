//go:build !linux

package kafka

import "syscall"

// attributes are none. A test that is killed itself leaves its nodes behind here.
func attributes() *syscall.SysProcAttr { return nil }
