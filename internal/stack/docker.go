package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// The reasons why Docker can't be used.
var (
	ErrNoDocker  = errors.New("docker is not installed")
	ErrNoCompose = errors.New("docker has no compose plugin")
)

// A Container is a service of a compose file as Docker has it.
type Container struct {
	Service string `json:"Service"`
	State   string `json:"State"`  // running, exited, restarting, …
	Health  string `json:"Health"` // healthy, unhealthy, starting, or "" without a check
	Exit    int    `json:"ExitCode"`
}

// Containers asks Docker for the containers of a compose file, stopped ones
// included. lookup finds the program; nil is exec.LookPath.
func Containers(ctx context.Context, lookup func(string) (string, error), file string) ([]Container, error) {
	if lookup == nil {
		lookup = exec.LookPath
	}
	docker, err := lookup("docker")
	if err != nil {
		return nil, ErrNoDocker
	}
	if _, err := output(ctx, docker, "info", "--format", "{{.ServerVersion}}"); err != nil {
		return nil, fmt.Errorf("docker doesn't answer: %w", err)
	}
	if _, err := output(ctx, docker, "compose", "version"); err != nil {
		return nil, ErrNoCompose
	}
	out, err := output(ctx, docker, "compose", "-f", file, "ps", "-a", "--format", "json")
	if err != nil {
		return nil, fmt.Errorf("docker compose ps: %w", err)
	}
	return parseContainers(out)
}

// parseContainers reads one object a line, or, of older versions, one list.
func parseContainers(out []byte) ([]Container, error) {
	out = bytes.TrimSpace(out)
	var list []Container
	if bytes.HasPrefix(out, []byte("[")) {
		err := json.Unmarshal(out, &list)
		return list, err
	}
	for line := range bytes.Lines(out) {
		var c Container
		if err := json.Unmarshal(line, &c); err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	return list, nil
}

// output runs a program; its error has the last line that it complained with.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) {
		lines := strings.Split(strings.TrimSpace(string(failed.Stderr)), "\n")
		if last := lines[len(lines)-1]; last != "" {
			return nil, errors.New(last)
		}
	}
	return out, err
}
