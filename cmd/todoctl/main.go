// Command todoctl sets up, runs, watches and repairs the event stack of a todo
// application.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// version is set by the linker; see the Makefile.
var version = "dev"

func main() { os.Exit(process()) }

// process runs the program on the process's own streams and signals. The first
// Ctrl-C ends the context, a second one ends the process at once.
func process() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Environ())
}
