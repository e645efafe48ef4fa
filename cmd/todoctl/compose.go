package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	compose "github.com/todoctl/todoctl"
	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/stack"
)

// composeHere is the compose file of this folder, "" for none. The names and their
// order are those of Docker's compose, the most common one first.
func composeHere() string {
	for _, name := range []string{"docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"} {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			return name
		}
	}
	return ""
}

// composeFlags are those that up and down share.
type composeFlags struct {
	file   string
	dryRun bool
}

func (f *composeFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.file, "file", "f", "", "compose file (default that of this folder, else the built-in one)")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "only print the commands")
}

// composeFile is the file that is meant: the one named, that of this folder, or the
// built-in one, which write puts into the data folder.
func (f *composeFlags) composeFile(cfg *config.Config, write bool) (string, error) {
	if f.file != "" {
		if _, err := os.Stat(f.file); err != nil {
			return "", usagef("--file: %w", err)
		}
		return f.file, nil
	}
	if here := composeHere(); here != "" {
		return here, nil
	}
	dir, err := filepath.Abs(cfg.Get("data-dir"))
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "docker-compose.yml")
	if !write {
		return path, nil
	}
	if _, err := withDataDir(cfg); err != nil {
		return "", err
	}
	if err := os.WriteFile(path, compose.File, 0o600); err != nil {
		return "", fmt.Errorf("write the built-in compose file: %w", err)
	}
	return path, nil
}

// openCompose finds Docker and tells, where it can't be used, what to do.
func openCompose(ctx context.Context, file string) (stack.Compose, error) {
	c, err := stack.OpenCompose(ctx, nil, file)
	const without = "or do without Docker: todoctl dev"
	switch {
	case errors.Is(err, stack.ErrNoDocker):
		return c, fmt.Errorf("%w: install it (https://docs.docker.com/get-docker/), %s", err, without)
	case errors.Is(err, stack.ErrDockerDenied):
		return c, fmt.Errorf("%w: sudo usermod -aG docker $USER, and log in again, %s", err, without)
	case errors.Is(err, stack.ErrDockerDown):
		return c, fmt.Errorf("%w: start Docker Desktop, or sudo systemctl start docker, %s", stack.ErrDockerDown, without)
	case errors.Is(err, stack.ErrNoCompose):
		return c, fmt.Errorf("%w: install docker-compose-plugin (https://docs.docker.com/compose/install/), %s", err, without)
	}
	return c, err
}

// commandLine is a command as it would be typed.
func commandLine(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if strings.ContainsAny(w, " \t'\"\\$") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		quoted[i] = w
	}
	return strings.Join(quoted, " ")
}
