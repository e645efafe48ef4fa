package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// maxLine is the longest log line that is kept whole, in bytes.
const maxLine = 1 << 20

// A logSink turns what a sidecar prints into records of a logger, line by line,
// and remembers the line that tells why it ended. It takes daprd's JSON, and the
// key=value text that loggers print which were made before the format was set;
// everything else, such as the trace of a crash, is passed on as an error.
type logSink struct {
	log     *slog.Logger
	min     slog.Level // lines below are dropped
	partial []byte
	fatal   string      // the first fatal message or panic
	failure string      // the last error message
	doomed  atomic.Bool // it has said that it is going to end; may be read at any time
}

// Write takes any piece of the output; it never fails.
func (s *logSink) Write(b []byte) (int, error) {
	s.partial = append(s.partial, b...)
	for {
		end := bytes.IndexByte(s.partial, '\n')
		if end < 0 {
			break
		}
		s.line(string(bytes.TrimSpace(s.partial[:end])))
		s.partial = s.partial[end+1:]
	}
	if len(s.partial) > maxLine {
		s.flush()
	}
	return len(b), nil
}

// Close passes on a last line that has no end.
func (s *logSink) Close() error {
	s.flush()
	return nil
}

func (s *logSink) flush() {
	s.line(string(bytes.TrimSpace(s.partial)))
	s.partial = nil
}

func (s *logSink) line(text string) {
	if text == "" {
		return
	}
	fields, ok := parseJSONLine(text)
	if !ok {
		fields, ok = parseTextLine(text)
	}
	if !ok {
		fields = map[string]string{"level": "error", "msg": text}
		if strings.HasPrefix(text, "panic:") || strings.HasPrefix(text, "fatal error:") {
			fields["level"] = "fatal"
		}
	}
	s.remember(fields)
	s.emit(fields)
}

func (s *logSink) remember(fields map[string]string) {
	switch fields["level"] {
	case "fatal":
		if s.fatal == "" {
			s.fatal = fields["msg"]
		}
	case "error":
		s.failure = fields["msg"]
	}
	// After this line daprd goes on to open its API, and answers there that it is
	// ready, until its shutdown has caught up.
	if strings.HasPrefix(fields["msg"], "Error processing component, daprd will exit gracefully") {
		s.doomed.Store(true)
	}
}

func (s *logSink) emit(fields map[string]string) {
	level := slogLevel(fields["level"])
	if level < s.min {
		return
	}
	at, err := time.Parse(time.RFC3339Nano, fields["time"])
	if err != nil {
		at = time.Now()
	}
	var attrs []slog.Attr
	for _, key := range attributes(fields) {
		attrs = append(attrs, slog.String(key, fields[key]))
	}
	passOn(s.log, at, level, fields["msg"], attrs...)
}

// passOn logs what another program said, in its words.
func passOn(log *slog.Logger, at time.Time, level slog.Level, message string, attrs ...slog.Attr) {
	ctx := context.Background() //nolint:forbidigo // neither io.Writer nor kfake's logger has one
	if !log.Enabled(ctx, level) {
		return
	}
	record := slog.NewRecord(at, level, message, 0)
	record.AddAttrs(attrs...)
	_ = log.Handler().Handle(ctx, record)
}

// attributes lists the fields that a reader wants beside the message, in order:
// the scope first, and not those that are the same on every line.
func attributes(fields map[string]string) []string {
	var keys []string
	for key := range fields {
		switch key {
		case "time", "level", "msg", "scope", "app_id", "instance", "ver", "type":
		default:
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if fields["scope"] != "" {
		keys = slices.Insert(keys, 0, "scope")
	}
	return keys
}

func slogLevel(level string) slog.Level {
	switch level {
	case "debug":
		return slog.LevelDebug
	case "warning", "warn":
		return slog.LevelWarn
	case "error", "fatal", "panic":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

func parseJSONLine(text string) (map[string]string, bool) {
	var values map[string]any
	if !strings.HasPrefix(text, "{") || json.Unmarshal([]byte(text), &values) != nil {
		return nil, false
	}
	fields := make(map[string]string, len(values))
	for key, value := range values {
		fields[key] = fmt.Sprint(value)
	}
	return fields, fields["msg"] != ""
}

// parseTextLine reads key=value and key="quoted value", as logrus writes them.
func parseTextLine(text string) (map[string]string, bool) {
	if !strings.HasPrefix(text, "time=") {
		return nil, false
	}
	fields := map[string]string{}
	for rest := text; rest != ""; rest = strings.TrimLeft(rest, " ") {
		key, tail, ok := strings.Cut(rest, "=")
		if !ok {
			return nil, false
		}
		value, after, _ := strings.Cut(tail, " ")
		if quoted, err := strconv.QuotedPrefix(tail); err == nil {
			value, _ = strconv.Unquote(quoted)
			after = tail[len(quoted):]
		}
		fields[key], rest = value, after
	}
	return fields, fields["msg"] != "" && fields["level"] != ""
}
