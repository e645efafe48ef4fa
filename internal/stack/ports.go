package stack

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
)

// A PortError says that an address is taken, and by whom where that can be told.
type PortError struct {
	Addr    string // HOST:PORT
	PID     int    // of the holder; 0 when unknown
	Program string // of the holder; "" when unknown. Without a PID, a container
	Err     error
}

// Error names the address and, where known, its holder.
func (e *PortError) Error() string {
	switch {
	case e.PID == 0 && e.Program == "":
		return fmt.Sprintf("%s is in use by another program: stop it, or take another port", e.Addr)
	case e.PID == 0:
		return fmt.Sprintf("%s is in use by %s: stop it, or take another port", e.Addr, e.Program)
	}
	return fmt.Sprintf("%s is in use by %s (pid %d): stop it, or take another port", e.Addr, e.Program, e.PID)
}

// Unwrap returns the system's error.
func (e *PortError) Unwrap() error { return e.Err }

// Listen opens a TCP listener. When the port of a default address is taken it
// takes a free one on the same host and returns a note that says so; when the user
// gave the address (explicit) that is a *PortError.
func Listen(ctx context.Context, addr string, explicit bool) (net.Listener, string, error) {
	ln, err := listen(ctx, addr)
	var taken *PortError
	if err == nil || explicit || !errors.As(err, &taken) {
		return ln, "", err
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, "", err
	}
	if ln, err = listen(ctx, net.JoinHostPort(host, "0")); err != nil {
		return nil, "", err
	}
	return ln, fmt.Sprintf("%s is taken%s: using %s", addr, taken.holder(), ln.Addr()), nil
}

// PickPort does what Listen does for a loopback port that another program, such as
// the sidecar, is going to open. The port is free now, not promised.
func PickPort(ctx context.Context, port int, explicit bool) (picked int, note string, err error) {
	ln, note, err := Listen(ctx, localAddr(port), explicit)
	if err != nil {
		return 0, "", err
	}
	return ln.Addr().(*net.TCPAddr).Port, note, ln.Close()
}

func (e *PortError) holder() string {
	if e.PID == 0 {
		return ""
	}
	return fmt.Sprintf(" by %s (pid %d)", e.Program, e.PID)
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", addr)
	if err == nil {
		return ln, nil
	}
	if !portTaken(err) {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	taken := &PortError{Addr: addr, Err: err}
	if _, port, err := net.SplitHostPort(addr); err == nil {
		if n, err := strconv.Atoi(port); err == nil {
			taken.PID, taken.Program = portHolder(n)
		}
	}
	return nil, taken
}

// checkPorts tells of a taken port with its holder's name. daprd itself would try
// again and again, for as long as it is left to.
func (o SidecarOptions) checkPorts(ctx context.Context) error {
	flags := map[int]string{}
	for _, p := range []struct {
		flag string
		port int
	}{
		{"--dapr-http-port", o.HTTPPort},
		{"--dapr-grpc-port", o.GRPCPort},
		{"--metrics-port", o.MetricsPort},
		{"internal gRPC port", o.InternalGRPCPort},
	} {
		if other, twice := flags[p.port]; twice {
			return fmt.Errorf("sidecar's %s and %s are the same: %d", other, p.flag, p.port)
		}
		flags[p.port] = p.flag
		ln, err := listen(ctx, localAddr(p.port))
		if err != nil {
			return fmt.Errorf("sidecar's %s: %w", p.flag, err)
		}
		if err := ln.Close(); err != nil {
			return err
		}
	}
	return nil
}

// fillPorts gives every port that is 0 a free one, each a different one.
func fillPorts(ctx context.Context, ports ...*int) error {
	for _, port := range ports {
		if *port != 0 {
			continue
		}
		ln, err := listen(ctx, localAddr(0))
		if err != nil {
			return fmt.Errorf("find a free port: %w", err)
		}
		defer ln.Close() // only when all are found, so that none is found twice
		*port = ln.Addr().(*net.TCPAddr).Port
	}
	return nil
}
