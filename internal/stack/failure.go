package stack

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// cause tells in one line why the sidecar ended: its own last words, boiled down,
// or how its process ended.
func (s *logSink) cause(p *process) error {
	switch {
	case s.fatal != "":
		return errors.New(boilDown(s.fatal))
	case s.failure != "":
		return errors.New(boilDown(s.failure))
	case p.err != nil:
		return p.err
	default:
		return errors.New("it stopped by itself")
	}
}

// boilDown shortens daprd's message on a component, which nests the same words up
// to three times ("process component NAME error: [INIT_COMPONENT_FAILURE]:
// initialization error occurred for NAME (TYPE/VERSION): …"), to
// `component "NAME" (TYPE/VERSION): …`. Other messages lose their prefix only.
func boilDown(message string) string {
	message = strings.TrimPrefix(message, "Fatal error from runtime: ")
	message = strings.TrimPrefix(message, "failed to load components: ")
	if m := regexp.MustCompile(`^duplicate definition of Component name (\S+) \((\S+)\) with existing \S+ \((\S+)\)`).FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("component %q is defined twice in the resources, as %s and as %s: keep one", m[1], m[2], m[3])
	}
	m := regexp.MustCompile(`(?s)^(?:process component (\S+) error: )?((?:\[[A-Z_]+\]: initialization error occurred for \S+ \(\S+\): )*)(.*)$`).FindStringSubmatch(message)
	name, wrapping, rest := m[1], m[2], strings.TrimSpace(m[3])
	if inner := regexp.MustCompile(`occurred for (\S+) \((\S+)\): `).FindStringSubmatch(wrapping); inner != nil {
		return fmt.Sprintf("component %q (%s): %s", inner[1], inner[2], rest)
	}
	if name != "" {
		return fmt.Sprintf("component %q: %s", name, strings.Replace(rest, "incorrect type ", "unknown component type ", 1))
	}
	return rest
}

// explain adds the sidecar's last complaint to an error that isn't its own, such
// as a timeout.
func (s *logSink) explain(err error) error {
	last := s.fatal
	if last == "" {
		last = s.failure
	}
	if last == "" {
		return err
	}
	return fmt.Errorf("%w; its last error: %s", err, boilDown(last))
}
