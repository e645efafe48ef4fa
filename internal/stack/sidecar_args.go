package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gracefulSeconds is how long daprd may take to finish what is in flight when it
// is asked to stop. An idle one is gone in well under a second.
const gracefulSeconds = 30

// sidecarConfig is the Dapr configuration under the user's own. Hot reload is on
// by default since Dapr 1.18: a file saved half-way would take a component away
// from a running stack. Name resolution by mDNS would listen on all interfaces and
// announce the app to the local network; an SQLite table in memory does neither.
const sidecarConfig = `apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata:
  name: todoctl
spec:
  features:
    - name: HotReload
      enabled: false
  nameResolution:
    component: sqlite
    version: v1
    configuration:
      connectionString: ":memory:"
`

// args returns daprd's command line. Flags and values stand apart, as the Dapr CLI
// writes and `dapr list` reads them.
func (o SidecarOptions) args() []string {
	args := []string{
		"--app-id", o.AppID,
		"--dapr-http-port", strconv.Itoa(o.HTTPPort),
		"--dapr-grpc-port", strconv.Itoa(o.GRPCPort),
		"--dapr-listen-addresses", "127.0.0.1",
		"--dapr-internal-grpc-port", strconv.Itoa(o.InternalGRPCPort),
		"--dapr-internal-grpc-listen-address", "127.0.0.1",
		"--metrics-port", strconv.Itoa(o.MetricsPort),
		"--metrics-listen-address", "127.0.0.1",
		"--dapr-graceful-shutdown-seconds", strconv.Itoa(gracefulSeconds),
		// A bulk publish of the relay holds up to 100 events of up to 256 KiB; the
		// default limit is 4Mi.
		"--max-body-size", "32Mi",
		// Subscriptions are declared in files; the app has neither endpoint.
		"--disable-init-endpoints", "config,subscribe",
		"--log-level", o.daprdLogLevel(),
		"--log-as-json",
		"--config", listed(o.configPath()),
	}
	if o.AppPort != 0 {
		args = append(args,
			"--app-port", strconv.Itoa(o.AppPort),
			"--enable-app-health-check",
			"--app-health-check-path", "/livez",
			"--app-health-probe-interval", "2",
			"--app-health-probe-timeout", "2000",
		)
	}
	if o.ConfigFile != "" {
		args = append(args, "--config", listed(o.ConfigFile))
	}
	for _, path := range o.ResourcesPath {
		args = append(args, "--resources-path", listed(path))
	}
	return append(args, o.ExtraArgs...)
}

// listed writes a path as daprd takes one item of a list: it splits what follows such a
// flag at commas as a line of CSV. Source: pflag's StringSlice.
func listed(path string) string {
	if !strings.ContainsAny(path, ",\"\r\n") {
		return path
	}
	return `"` + strings.ReplaceAll(path, `"`, `""`) + `"`
}

// environ returns the environment of daprd. The tokens are those of the options,
// whatever the environment says, so that both sides agree.
func (o SidecarOptions) environ() []string {
	env := slices.DeleteFunc(slices.Clone(o.Env), func(kv string) bool {
		return strings.HasPrefix(kv, "DAPR_API_TOKEN=") || strings.HasPrefix(kv, "APP_API_TOKEN=")
	})
	// Without a network daprd finds no address of its own and ends.
	if !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, "DAPR_HOST_IP=") }) {
		env = append(env, "DAPR_HOST_IP=127.0.0.1")
	}
	if o.APIToken != "" {
		env = append(env, "DAPR_API_TOKEN="+o.APIToken)
	}
	if o.AppAPIToken != "" {
		env = append(env, "APP_API_TOKEN="+o.AppAPIToken)
	}
	return env
}

// complete makes paths absolute, since daprd runs in Dir, and fills in what was
// left open.
func (o SidecarOptions) complete(ctx context.Context) (SidecarOptions, error) {
	if o.AppID == "" || o.Daprd == "" || o.Dir == "" || o.Log == nil {
		return o, errors.New("sidecar options need AppID, Daprd, Dir and Log")
	}
	if o.LogLevel == "" {
		o.LogLevel = "info"
	}
	if o.ReadyTimeout == 0 {
		o.ReadyTimeout = gracefulSeconds * time.Second
	}
	o.ResourcesPath = slices.Clone(o.ResourcesPath)
	paths := []*string{&o.Daprd, &o.Dir}
	for i := range o.ResourcesPath {
		paths = append(paths, &o.ResourcesPath[i])
	}
	if o.ConfigFile != "" {
		paths = append(paths, &o.ConfigFile)
	}
	for _, p := range paths {
		abs, err := filepath.Abs(*p)
		if err != nil {
			return o, err
		}
		*p = abs
	}
	return o, fillPorts(ctx, &o.HTTPPort, &o.GRPCPort, &o.MetricsPort, &o.InternalGRPCPort)
}

// daprdLogLevel keeps the lines coming that launch watches for; what the user
// didn't ask for is dropped here.
func (o SidecarOptions) daprdLogLevel() string {
	if o.LogLevel == "debug" {
		return "debug"
	}
	return "info"
}

func (o SidecarOptions) configPath() string { return filepath.Join(o.Dir, o.AppID+".config.yaml") }

// checkFiles tells of a missing resources folder or config file, which daprd
// reports in passing or not at all, and writes the sidecar's own configuration.
func (o SidecarOptions) checkFiles() error {
	for _, path := range o.ResourcesPath {
		if info, err := os.Stat(path); err != nil {
			return fmt.Errorf("resources path: %w", err)
		} else if !info.IsDir() {
			return fmt.Errorf("resources path %s is not a folder", path)
		}
	}
	if o.ConfigFile != "" {
		if _, err := os.Stat(o.ConfigFile); err != nil {
			return fmt.Errorf("sidecar config: %w", err)
		}
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("sidecar folder: %w", err)
	}
	return writeFile(o.configPath(), []byte(sidecarConfig))
}
