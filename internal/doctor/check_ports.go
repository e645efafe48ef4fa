package doctor

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/todoctl/todoctl/internal/stack"
)

// portChecks are those of the ports that Docker and Windows take.
func (s *subject) portChecks() []Check {
	return []Check{
		{
			ID: "environment.compose-ports", Severity: Error, Title: "no other program holds a port of the compose file",
			Symptom: "`Bind for 0.0.0.0:6379 failed: port is already allocated`, and a container that stays created", Cause: "another program holds the port: the Redis of dapr init (6379), dapr dashboard (8080), a PostgreSQL of this machine (5432)",
			Mend: "stop the holder, or publish another port in the compose file", Run: s.checkComposePorts,
		},
		{
			ID: "environment.reserved-ports", Severity: Error, Title: "Windows has not reserved the stack's ports",
			Symptom: "`An attempt was made to access a socket in a way forbidden by its access permissions`, while nobody holds the port", Cause: "Windows keeps ranges of ports for Hyper-V and WSL",
			Mend: "net stop winnat, start the stack, net start winnat; or take other ports", Run: s.checkReservedPorts,
		},
	}
}

// checkComposePorts looks where containers were made, and one of them doesn't run.
func (s *subject) checkComposePorts(ctx context.Context) Result {
	if s.ComposeFile == "" || s.runs() || s.Foreign || s.BrokersFrom.Chosen {
		return beside()
	}
	list, err := stack.Containers(ctx, s.PathLookup, s.ComposeFile)
	if err != nil || len(list) == 0 {
		return beside() // Docker isn't used here
	}
	ports := composePorts(s.ComposeFile)
	var r Result
	for _, service := range keysOf(ports) {
		runs := slices.ContainsFunc(list, func(c stack.Container) bool { return c.Service == service && c.State == "running" })
		for _, port := range ports[service] {
			if runs || !listens(ctx, port) {
				continue
			}
			pid, program := stack.PortHolder(port)
			who := "another program"
			if pid != 0 {
				who = fmt.Sprintf("%s (pid %d)", program, pid)
			}
			r.Findings = append(r.Findings, Finding{
				Message:  fmt.Sprintf("Port %d, for the container of %s, is held by %s, so the container can't start.", port, service, who),
				Evidence: facts("port", strconv.Itoa(port), "holder", who, "file", s.ComposeFile),
				Mend:     freePort(port),
			})
		}
	}
	return r
}

// freePort says how to get a port back from those who often have it.
func freePort(port int) string {
	switch port {
	case 6379:
		return "stop it (the Redis of 'dapr init': docker stop dapr_redis; 'dapr init --slim' starts none), then todoctl up"
	case 8080:
		return "stop it (dapr dashboard takes another port with -p 9999), then todoctl up"
	}
	return "stop it, or publish another port in the compose file, then todoctl up"
}

// composePorts are the ports of this machine that a compose file publishes, by service.
// What isn't plainly written, such as ranges and variables, is left out.
func composePorts(file string) map[string][]int {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil || len(document.Content) == 0 {
		return nil
	}
	byService := map[string][]int{}
	for _, service := range pairs(lookup(document.Content[0], "services")) {
		for _, node := range children(lookup(service.value, "ports")) {
			published := text(lookup(node, "published"))
			if short := text(node); short != "" {
				parts := strings.Split(short, ":")
				if len(parts) < 2 {
					continue // a port of the container alone: any of the machine's
				}
				published = parts[len(parts)-2]
			}
			if port, err := strconv.Atoi(published); err == nil {
				byService[service.key.Value] = append(byService[service.key.Value], port)
			}
		}
	}
	return byService
}

func (s *subject) checkReservedPorts(ctx context.Context) Result {
	if s.runs() || s.Foreign {
		return beside()
	}
	netsh, err := s.lookPath("netsh")
	if err != nil {
		return beside() // this isn't Windows
	}
	ranges, err := stack.ReservedPorts(ctx, netsh)
	if err != nil {
		return skipped("the reserved ports can't be read: " + err.Error())
	}
	var r Result
	for _, w := range s.wantedPorts() {
		port, err := strconv.Atoi(w.port)
		if err != nil || port == 0 || w.held() {
			continue
		}
		i := slices.IndexFunc(ranges, func(r stack.PortRange) bool { return r.First <= port && port <= r.Last })
		if i < 0 {
			continue
		}
		r.Findings = append(r.Findings, Finding{
			Message:  fmt.Sprintf("Windows has reserved port %d, which %s would take.", port, w.what),
			Evidence: facts("port", w.port, "reserved", fmt.Sprintf("%d-%d", ranges[i].First, ranges[i].Last)),
			Mend:     fmt.Sprintf("take another port with %s; or, as administrator: net stop winnat, start the stack, net start winnat", w.option),
		})
	}
	return r
}
