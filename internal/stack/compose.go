package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// A Compose is a compose file with the docker that runs it.
type Compose struct {
	File   string
	docker string
}

// A Container is a service of a compose file as Docker has it.
type Container struct {
	Service string `json:"Service"`
	State   string `json:"State"`  // running, exited, restarting, …
	Health  string `json:"Health"` // healthy, unhealthy, starting, or "" without a check
	Exit    int    `json:"ExitCode"`
}

// OpenCompose makes sure that docker, its daemon and its compose plugin are there; the
// error is one of ErrNoDocker, ErrDockerDown, ErrDockerDenied and ErrNoCompose where it
// is one of these. lookup finds the program; nil is exec.LookPath.
func OpenCompose(ctx context.Context, lookup func(string) (string, error), file string) (Compose, error) {
	if lookup == nil {
		lookup = exec.LookPath
	}
	docker, err := lookup("docker")
	if err != nil {
		return Compose{}, ErrNoDocker
	}
	// Not info: that exits with 0 when the daemon doesn't answer and a format is given.
	if _, err := output(ctx, docker, "version", "--format", "{{.Server.Version}}"); err != nil {
		return Compose{}, err
	}
	if _, err := output(ctx, docker, "compose", "version"); err != nil {
		if ctx.Err() != nil {
			return Compose{}, ctx.Err()
		}
		return Compose{}, ErrNoCompose
	}
	return Compose{File: file, docker: docker}, nil
}

// UpArgs is the command line of Up.
func (c Compose) UpArgs() []string { return c.args("up", "-d") }

// DownArgs is the command line of Down.
func (c Compose) DownArgs(volumes bool) []string {
	if volumes {
		return c.args("down", "--volumes")
	}
	return c.args("down")
}

func (c Compose) args(words ...string) []string {
	return append([]string{"docker", "compose", "-f", c.File}, words...)
}

// run runs a docker command line.
func (c Compose) run(ctx context.Context, line []string) ([]byte, error) {
	return output(ctx, c.docker, line[1:]...)
}

// Containers are those of the file, stopped ones included.
func (c Compose) Containers(ctx context.Context) ([]Container, error) {
	out, err := c.run(ctx, c.args("ps", "-a", "--format", "json"))
	if err != nil {
		return nil, fmt.Errorf("docker compose ps: %w", err)
	}
	return parseContainers(out)
}

// Down stops and removes the containers, and with volumes their data.
func (c Compose) Down(ctx context.Context, volumes bool) error {
	if _, err := c.run(ctx, c.DownArgs(volumes)); err != nil {
		return fmt.Errorf("docker compose down: %w", err)
	}
	return nil
}

// logs are the last lines of a service.
func (c Compose) logs(ctx context.Context, service string, lines int) ([]string, error) {
	out, err := c.run(ctx, c.args("logs", "--no-color", "--no-log-prefix", "--tail", strconv.Itoa(lines), service))
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n"), nil
}

// holder is the container that publishes a port, "" for none.
func (c Compose) holder(ctx context.Context, port string) string {
	out, err := output(ctx, c.docker, "ps", "--filter", "publish="+port, "--format", "{{.Names}}")
	if err != nil {
		return ""
	}
	name, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(name)
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

// Condition is the container's health, or its state where it has no check.
func (c Container) Condition() string {
	switch {
	case c.State == "exited":
		return fmt.Sprintf("exited (%d)", c.Exit)
	case c.State == "running" && c.Health != "":
		return c.Health
	}
	return c.State
}

// Ready tells whether it does what it is there for: it is healthy, runs without a
// check, or has done its work and exited with 0.
func (c Container) Ready() bool {
	if c.State == "running" {
		return c.Health == "" || c.Health == "healthy"
	}
	return c.State == "exited" && c.Exit == 0
}

// failed tells whether it won't get ready by itself.
func (c Container) failed() bool {
	return c.State == "dead" || c.Health == "unhealthy" || (c.State == "exited" && c.Exit != 0)
}
