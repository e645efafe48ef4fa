package main

import (
	"log/slog"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/ui"
)

// logs makes the loggers of a command that runs on. All of them write to stderr.
type logs struct {
	level   slog.Level
	sidecar *slog.LevelVar // silent until the stack is ready: daprd tells a lot as it starts, and why it didn't is an error of ours
	handler slog.Handler
}

func (a *app) logs(cfg *config.Config) *logs {
	l := &logs{sidecar: new(slog.LevelVar)}
	if err := l.level.UnmarshalText([]byte(cfg.Get("log-level"))); err != nil {
		l.level = slog.LevelInfo
	}
	l.sidecar.Set(slog.LevelError + 1)
	if cfg.Get("log-format") == "json" {
		l.handler = slog.NewJSONHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelDebug})
		return l
	}
	l.handler = ui.NewLogHandler(a.stderr, slog.LevelDebug, a.messages().Color)
	return l
}

// of is the logger of one part of the stack.
func (l *logs) of(part string) *slog.Logger {
	var level slog.Leveler = l.level
	if part == apiSidecar || part == workerSidecar {
		level = l.sidecar
	}
	return slog.New(ui.AtLevel(level, l.handler)).With(ui.PartKey, part)
}

// ready lets the sidecar tell as much as the others.
func (l *logs) ready() { l.sidecar.Set(l.level) }
