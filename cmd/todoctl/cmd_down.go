package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/todoctl/todoctl/internal/stack"
)

// downFlags are what down is told.
type downFlags struct {
	composeFlags
	volumes, yes bool
	timeout      time.Duration
}

func (a *app) downCommand() *cobra.Command {
	var f downFlags
	cmd := &cobra.Command{
		Use: "down", Short: "Stop the stack's containers; their data stays",
		Long: `Stop and remove the containers that 'todoctl up' has started. Their data stays in their
volumes, and is there again after the next 'todoctl up'. With --volumes it goes, too:
that is asked about first.`,
		Example: `  todoctl down
  todoctl down --volumes --yes                   # a clean start for the next 'todoctl up'
  todoctl down --volumes --dry-run`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.down(cmd, f) },
	}
	settingFlags(cmd, "data-dir")
	f.add(cmd)
	cmd.Flags().BoolVar(&f.volumes, "volumes", false, "remove the volumes with all data, too")
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "with --volumes: don't ask")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long it may take")
	return cmd
}

func (a *app) down(cmd *cobra.Command, f downFlags) error {
	if f.timeout <= 0 {
		return usagef("--timeout %s: must be more than 0", f.timeout)
	}
	cfg, err := a.loadOwn(cmd)
	if err != nil {
		return err
	}
	file, err := f.composeFile(cfg, !f.dryRun)
	if err != nil {
		return err
	}
	if !f.dryRun {
		if err := a.takeDown(cmd.Context(), file, f); err != nil {
			return err
		}
	}
	result := struct {
		File     string   `json:"file"`
		DryRun   bool     `json:"dry_run"`
		Volumes  bool     `json:"volumes"` // they are removed
		Commands []string `json:"commands"`
	}{file, f.dryRun, f.volumes, []string{commandLine(stack.Compose{File: file}.DownArgs(f.volumes))}}
	return a.printer().Print("down", result, func(w io.Writer) {
		switch {
		case f.dryRun:
			fmt.Fprintln(w, result.Commands[0])
		case f.volumes:
			fmt.Fprintln(w, "the containers are gone, and their data")
		default:
			fmt.Fprintln(w, "the containers are gone; their data stays ('todoctl down --volumes' removes it)")
		}
	})
}

func (a *app) takeDown(ctx context.Context, file string, f downFlags) error {
	c, err := openCompose(ctx, file)
	if err != nil {
		return err
	}
	if f.volumes && !f.yes {
		if err := a.confirm(ctx, "remove the containers of "+file+" and all their data"); err != nil {
			return err
		}
	}
	progress := a.startProgress(func() string { return "docker compose down" })
	defer progress.stop()
	bounded, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if err := c.Down(bounded, f.volumes); err != nil {
		if bounded.Err() != nil && ctx.Err() == nil {
			return fmt.Errorf("docker compose down took longer than %s (--timeout)", f.timeout)
		}
		return err
	}
	return nil
}
