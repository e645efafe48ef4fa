package stack

import (
	"context"
	"fmt"
	"time"
)

// AttachOptions names a sidecar that somebody else has started: dapr run, or the
// injector of Kubernetes.
type AttachOptions struct {
	HTTPPort int           // DAPR_HTTP_PORT; it answers on 127.0.0.1
	APIToken string        // DAPR_API_TOKEN
	Wait     time.Duration // how long it may take to get ready; both start at once there. 0: one try
}

// Attach waits until the sidecar takes calls and returns it with its metadata.
// The sidecar's life is not touched by anything here.
func Attach(ctx context.Context, opts AttachOptions) (Endpoint, Metadata, error) {
	api := Endpoint{Addr: localAddr(opts.HTTPPort), Token: opts.APIToken}
	if err := attachReady(ctx, api, opts.Wait); err != nil {
		return Endpoint{}, Metadata{}, fmt.Errorf(
			"no Dapr sidecar is ready at http://%s (waited %s): start it with `dapr run`, or have todoctl start one with --sidecar spawn: %w",
			api.Addr, opts.Wait, err)
	}
	m, err := api.Metadata(ctx)
	if err != nil {
		return Endpoint{}, Metadata{}, err
	}
	return api, m, nil
}

// attachReady returns the last answer when the time is over.
func attachReady(ctx context.Context, api Endpoint, wait time.Duration) error {
	last := api.Ready(ctx)
	if last == nil || wait <= 0 {
		return last
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
			if err := api.Ready(ctx); err == nil {
				return nil
			} else if ctx.Err() == nil {
				last = err
			}
		}
	}
}
