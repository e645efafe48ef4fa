package main

import (
	"bytes"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"github.com/todoctl/todoctl/internal/status"
	"github.com/todoctl/todoctl/internal/ui"
)

func TestStatusFitsSixtyColumns(t *testing.T) {
	var page bytes.Buffer
	p := ui.Printer{Out: &page, Width: 60}
	part := status.Part{Problem: "no Kafka broker answers at 127.0.0.1:19092: connection refused, and more words", Next: "todoctl doctor"}
	statusPart(p, &page, "broker", part)
	for line := range strings.Lines(page.String()) {
		if width := lipgloss.Width(strings.TrimSuffix(line, "\n")); width > 60 {
			t.Errorf("%d columns: %s", width, line)
		}
	}
	if !strings.Contains(page.String(), "\n                    next: todoctl doctor\n") {
		t.Error(page.String())
	}
}
