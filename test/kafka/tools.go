package kafka

import (
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
)

// Tools are the console tools of Kafka, with the Java client.
type Tools struct{ command []string }

// FindTools returns them. Progress and error are those of Start.
func FindTools(ctx context.Context, progress io.Writer) (*Tools, error) {
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, ErrMissing
	}
	lib, err := jars(ctx, toolsPOM, progress)
	if err != nil {
		return nil, err
	}
	return &Tools{[]string{java, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", filepath.Join(lib, "*")}}, nil
}

// Command runs one of them, such as ConsoleProducer or
// consumer.ConsoleConsumer.
func (t *Tools) Command(ctx context.Context, tool string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, t.command[0], slices.Concat(t.command[1:], []string{"org.apache.kafka.tools." + tool}, args)...)
}
