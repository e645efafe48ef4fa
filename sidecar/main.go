// Command daprd is a slim Dapr sidecar: Dapr's own runtime with only the
// components that the todo event stack uses.
//
// It takes the flags of the official daprd (github.com/dapr/dapr/cmd/daprd)
// and behaves as it does. What it leaves out is the long list of components of
// other clouds and brokers, which makes the official binary four times as large
// and its compilation four times as long.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/dapr/dapr/cmd/daprd/options"
	"github.com/dapr/dapr/pkg/buildinfo"
	"github.com/dapr/dapr/pkg/runtime"
	"github.com/dapr/kit/logger"
	"github.com/dapr/kit/signals"
)

func main() {
	// Both exist before the flags are applied to all loggers; NewLogger returns the
	// same one when it is asked again.
	log := logger.NewLogger("dapr.runtime")
	logger.NewLogger("dapr.contrib")

	opts, err := options.New(os.Args[1:])
	if err != nil {
		log.Fatalf("Failed to parse flags: %v", err)
	}
	switch {
	case opts.RuntimeVersion:
		fmt.Println(buildinfo.Version())
		return
	case opts.BuildInfo:
		fmt.Printf("Version: %s\nGit Commit: %s\nGit Version: %s\n",
			buildinfo.Version(), buildinfo.Commit(), buildinfo.GitVersion())
		return
	case opts.WaitCommand:
		runtime.WaitUntilDaprOutboundReady(opts.DaprHTTPPort)
		return
	}

	opts.Logger.SetAppID(opts.AppID)
	if err := logger.ApplyOptionsToLoggers(&opts.Logger); err != nil {
		log.Fatal(err)
	}
	log.Infof("Starting Dapr Runtime -- version %s -- slim build of todoctl", buildinfo.Version())

	if err := serve(signals.Context(), opts, log); err != nil {
		log.Fatalf("Fatal error from runtime: %s", err)
	}
	log.Info("Daprd shutdown gracefully")
}

// serve runs the runtime until ctx ends. As in the official daprd, SIGHUP starts
// it anew with the resources as they then are on disk.
func serve(ctx context.Context, opts *options.Options, log logger.Logger) error {
	hup := signals.OnHUP(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil
		case round, ok := <-hup:
			if !ok {
				return nil
			}
			if err := runOnce(round, opts, log); err != nil { //nolint:contextcheck // round comes from ctx, through OnHUP
				return err
			}
			if round.Err() == nil { // the runtime ended by itself: its shutdown API
				return nil
			}
		}
	}
}
