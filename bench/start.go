package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
)

// startTurns is how often each program starts in a round.
const startTurns = 30

// measureStart measures the start of the program, and of the smallest one with the
// same command line, settings and sidecar libraries.
func measureStart(ctx context.Context, r *rig) error {
	hello, err := r.buildHello(ctx)
	if err != nil {
		return err
	}
	tools := []tool{
		{name: "hello with cobra, viper and Dapr's SDK", argv: []string{hello, "version"}},
		{name: "todoctl version", argv: []string{r.todoctl, "version"}, goal: "≤ 1.6 × (8 ms to 5)"},
		{name: "todoctl --help", argv: []string{r.todoctl, "--help"}, goal: "≤ 1.6 ×"},
		{name: "todoctl config show", argv: []string{r.todoctl, "config", "show"}, goal: "≤ 1.6 ×"},
	}
	times := make([]spread, len(tools))
	for range r.rounds * startTurns {
		for i, c := range tools {
			s, err := r.show(ctx, c)
			if err != nil {
				return err
			}
			times[i] = append(times[i], s.seconds*1e3)
		}
	}
	t := table{title: "Start of a command, in ms", head: []string{"", "ms", "to the first", "goal", "program MB"}}
	for i, c := range tools {
		info, err := os.Stat(c.argv[0])
		if err != nil {
			return err
		}
		t.add(c.name, fmt.Sprintf("%.1f (%.1f–%.1f)", times[i].median(), slices.Min(times[i]), slices.Max(times[i])),
			strconv.FormatFloat(ratios(times[i], times[0]).median(), 'f', 2, 64)+" ×", c.goal, strconv.FormatFloat(float64(info.Size())/1e6, 'f', 1, 64))
	}
	t.print(r.out)
	return nil
}

// buildHello builds the peer as todoctl is built.
func (r *rig) buildHello(ctx context.Context) (string, error) {
	path := filepath.Join(r.dir, "hello")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path, "github.com/todoctl/todoctl/bench/hello")
	build.Env = append(slices.Clone(r.env), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hello: %w: %s", err, out)
	}
	return path, nil
}
