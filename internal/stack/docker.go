package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// The reasons why Docker can't be used.
var (
	ErrNoDocker     = errors.New("docker is not installed")
	ErrNoCompose    = errors.New("docker has no compose plugin")
	ErrDockerDown   = errors.New("the Docker daemon isn't running")
	ErrDockerDenied = errors.New("this user may not speak to the Docker daemon")
)

// Containers asks Docker for the containers of a compose file, stopped ones
// included. lookup finds the program; nil is exec.LookPath.
func Containers(ctx context.Context, lookup func(string) (string, error), file string) ([]Container, error) {
	c, err := OpenCompose(ctx, lookup, file)
	if err != nil {
		return nil, err
	}
	return c.Containers(ctx)
}

// dockerFault tells what a complaint of docker's means: one of the errors above, or
// its last line. The phrases are those of the client and of the daemon's API.
func dockerFault(complaint string) error {
	lines := strings.Split(strings.TrimSpace(complaint), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	switch {
	case strings.Contains(complaint, "permission denied while trying to connect"):
		return ErrDockerDenied
	case strings.Contains(complaint, "Cannot connect to the Docker daemon"),
		strings.Contains(complaint, "failed to connect to the docker API"),
		strings.Contains(complaint, "error during connect"):
		return fmt.Errorf("%w: %s", ErrDockerDown, last)
	case last == "":
		return errors.New("docker failed without a word")
	}
	return errors.New(last)
}

// command is a program that ctx interrupts first, so that it can clean up.
func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			return cmd.Process.Kill() // Windows has no such signal
		}
		return nil
	}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// output runs docker; its error is what it complained of.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := command(ctx, name, args...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		return nil, dockerFault(complaint.String())
	}
	return out, err
}
