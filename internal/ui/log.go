package ui

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"
)

// PartKey is the attribute that names the part of the stack a log line is from.
const PartKey = "part"

// NewLogHandler writes one line a record for people: time, part, level, message,
// attributes. Whatever a message holds, it stays on one line.
func NewLogHandler(w io.Writer, level slog.Leveler, color bool) slog.Handler {
	return &logHandler{out: &lockedWriter{w: w}, level: level, style: Printer{Color: color}}
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

type logHandler struct {
	out   *lockedWriter
	level slog.Leveler
	style Printer
	part  string
	attrs string // of WithAttrs, ready to print
	group string // of WithGroup, with its dot
}

// partWidth holds the parts of a stack in one column: broker, sidecar, relay, …
const partWidth = 8

func (h *logHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= h.level.Level()
}

func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(h.style.Faint(r.Time.Format(time.TimeOnly)))
	fmt.Fprintf(&b, " %s %s %s", h.partLabel(), h.levelLabel(r.Level), Clean(r.Message))
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		b.WriteString(h.format(a))
		return true
	})
	b.WriteByte('\n')
	_, err := io.WriteString(h.out, b.String())
	return err
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := *h
	for _, a := range attrs {
		if a.Key == PartKey && h.group == "" {
			next.part = a.Value.String()
			continue
		}
		next.attrs += h.format(a)
	}
	return &next
}

func (h *logHandler) WithGroup(name string) slog.Handler {
	next := *h
	next.group += name + "."
	return &next
}

func (h *logHandler) format(a slog.Attr) string {
	value := a.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		var b strings.Builder
		inner := *h
		if a.Key != "" {
			inner.group += a.Key + "."
		}
		for _, member := range value.Group() {
			b.WriteString(inner.format(member))
		}
		return b.String()
	}
	text := value.String()
	if text == "" || strings.ContainsAny(text, " =\"") || strings.ContainsFunc(text, unprintable) {
		text = strconv.Quote(text)
	}
	return " " + h.style.Faint(h.group+a.Key+"=") + text
}

func (h *logHandler) partLabel() string {
	label := fmt.Sprintf("%-*s", partWidth, h.part)
	if !h.style.Color || h.part == "" {
		return label
	}
	colors := []int{2, 3, 4, 5, 6} // the terminal's own, without red, black and white
	sum := 0
	for _, c := range h.part {
		sum += int(c)
	}
	color := lipgloss.ANSIColor(colors[sum%len(colors)])
	return h.style.styled(lipgloss.NewStyle().Foreground(color), label)
}

func (h *logHandler) levelLabel(level slog.Level) string {
	label := fmt.Sprintf("%-5s", strings.ToLower(level.String()))
	switch {
	case level >= slog.LevelError:
		return h.style.Bad(label)
	case level >= slog.LevelWarn:
		return h.style.styled(lipgloss.NewStyle().Foreground(lipgloss.Yellow), label)
	default:
		return h.style.Faint(label)
	}
}

// AtLevel passes on to next only records of the level and above, which may change
// while the handler is in use.
func AtLevel(level slog.Leveler, next slog.Handler) slog.Handler {
	return leveled{Handler: next, level: level}
}

type leveled struct {
	slog.Handler
	level slog.Leveler
}

func (l leveled) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= l.level.Level() && l.Handler.Enabled(ctx, level)
}

func (l leveled) WithAttrs(attrs []slog.Attr) slog.Handler {
	return leveled{l.Handler.WithAttrs(attrs), l.level}
}

func (l leveled) WithGroup(name string) slog.Handler {
	return leveled{l.Handler.WithGroup(name), l.level}
}
