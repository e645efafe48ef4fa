// Command bench measures todoctl against its peers, in turn on the same machine,
// and prints the ratios as Markdown:
//
//	go run ./bench [flags] [TABLE...]
//
// Each figure is the median of several rounds in which the contenders take turns
// (A B A B …), so that a machine that is slow for a while is slow for all of them;
// a ratio is worked out within a round. Every contender runs as a process of its
// own: the real `todoctl serve`, a real sidecar, a real PostgreSQL server, and the
// embedded broker with its data synced to disk.
//
// It asserts nothing: figures of a shared machine make no test.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(process()) }

// process runs the program on the process's own streams and signals.
func process() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	self, err := os.Executable()
	if err != nil {
		return fail(os.Stderr, err)
	}
	if err := run(ctx, program{self: self, args: os.Args[1:], env: os.Environ(), out: os.Stdout, progress: os.Stderr}); err != nil {
		return fail(os.Stderr, err)
	}
	return 0
}
