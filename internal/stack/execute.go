package stack

import (
	"context"
	"os/exec"
)

// Execute runs a program to its end, without a shell and with neither input nor output,
// and ends it with ctx. The error is nil when it exits with 0.
func Execute(ctx context.Context, name string, args ...string) error {
	return exec.CommandContext(ctx, name, args...).Run()
}
