package stack

import (
	"slices"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose file is read by the library that Docker's own compose reads it with.
func TestComposeFile(t *testing.T) {
	options, err := cli.NewProjectOptions([]string{"../../docker-compose.yml"})
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ports := map[string]string{"redpanda": "19092", "console": "8080", "postgres": "5432", "redis": "6379"}
	if names := project.ServiceNames(); len(names) != len(ports) {
		t.Errorf("services = %v, want those of %v", names, ports)
	}
	for name, port := range ports {
		service, err := project.GetService(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if service.HealthCheck == nil || len(service.HealthCheck.Test) < 2 {
			t.Errorf("%s has no health check", name)
		}
		if len(service.Ports) != 1 || service.Ports[0].Published != port {
			t.Errorf("%s publishes %v, want %s alone", name, service.Ports, port)
		}
		for _, p := range service.Ports {
			if p.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, want loopback", name, p.Published, p.HostIP)
			}
		}
		for _, volume := range service.Volumes {
			if _, named := project.Volumes[volume.Source]; volume.Type != types.VolumeTypeVolume || !named {
				t.Errorf("%s keeps %s in %s %q, want a named volume", name, volume.Target, volume.Type, volume.Source)
			}
		}
	}
	redpanda, err := project.GetService("redpanda")
	if err != nil {
		t.Fatal(err)
	}
	listeners := "--advertise-kafka-addr=internal://redpanda:9092,external://localhost:19092"
	if !slices.Contains(redpanda.Command, listeners) {
		t.Errorf("redpanda's command lacks %s", listeners)
	}
}
