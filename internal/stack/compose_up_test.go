package stack

import (
	"errors"
	"testing"
)

// The complaints are those of Docker's engine, client and compose, old and new.
func TestDockerFaults(t *testing.T) {
	tests := map[string]struct {
		says string
		want error  // one of the errors, or
		port string // a taken port
	}{
		"allocated":      {says: "Error response from daemon: driver failed programming external connectivity on endpoint todoctl-redis-1 (58a0): Bind for 127.0.0.1:6379 failed: port is already allocated", port: "127.0.0.1:6379"},
		"userland proxy": {says: "Error response from daemon: Error starting userland proxy: listen tcp4 127.0.0.1:5432: bind: address already in use", port: "127.0.0.1:5432"},
		"host port":      {says: "failed to bind host port for 127.0.0.1:6379:172.18.0.2:6379/tcp: address already in use", port: "127.0.0.1:6379"},
		"host port, 28":  {says: "failed to bind host port 0.0.0.0:8080/tcp: address already in use", port: "0.0.0.0:8080"},
		"desktop":        {says: "Ports are not available: exposing port TCP 127.0.0.1:6379 -> 127.0.0.1:0: listen tcp 127.0.0.1:6379: bind: address already in use", port: "127.0.0.1:6379"},
		"IPv6":           {says: "Bind for [::]:9092 failed: port is already allocated", port: "[::]:9092"},
		"down":           {says: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", want: ErrDockerDown},
		"down, 29":       {says: "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory", want: ErrDockerDown},
		"down, Windows":  {says: "error during connect: this error may indicate that the docker daemon is not running", want: ErrDockerDown},
		"denied":         {says: "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock", want: ErrDockerDenied},
		"denied, 29":     {says: "permission denied while trying to connect to the docker API at unix:///var/run/docker.sock", want: ErrDockerDenied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := Compose{docker: "/nowhere/docker"}.startFault(t.Context(), " Container x  Starting\n"+tt.says+"\n")
			var taken *PortError
			if errors.As(err, &taken) != (tt.port != "") || (taken != nil && taken.Addr != tt.port) {
				t.Errorf("%v, want the port %q", err, tt.port)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
	if err := dockerFault("one\ntwo\n"); err.Error() != "two" {
		t.Errorf("another complaint: %v", err)
	}
}

func TestContainersGetReady(t *testing.T) {
	tests := []struct {
		c             Container
		ready, failed bool
		words         string
	}{
		{Container{State: "running", Health: "healthy"}, true, false, "healthy"},
		{Container{State: "running", Health: "starting"}, false, false, "starting"},
		{Container{State: "running", Health: "unhealthy"}, false, true, "unhealthy"},
		{Container{State: "running"}, true, false, "running"},
		{Container{State: "created"}, false, false, "created"},
		{Container{State: "exited"}, true, false, "exited (0)"},
		{Container{State: "exited", Exit: 137}, false, true, "exited (137)"},
	}
	for _, tt := range tests {
		if tt.c.Ready() != tt.ready || tt.c.failed() != tt.failed || tt.c.Condition() != tt.words {
			t.Errorf("%+v: ready %v, failed %v, %q", tt.c, tt.c.Ready(), tt.c.failed(), tt.c.Condition())
		}
	}
}
