//go:build unix

package main

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// untilReaderGone returns a context that ends when nobody reads w any more, such as
// `head` at the other end of a pipe: a follower would learn of it with its next
// line only, which may be a long time off.
func untilReaderGone(ctx context.Context, w any) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	file, ok := w.(*os.File)
	if !ok {
		return ctx, cancel
	}
	go func() {
		const interval = 500 // ms
		for ctx.Err() == nil {
			fds := []unix.PollFd{{Fd: int32(file.Fd())}}
			n, err := unix.Poll(fds, interval)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
			if n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
				cancel()
			}
		}
	}()
	return ctx, cancel
}
