package stack

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogSink(t *testing.T) {
	input := strings.Join([]string{
		`{"app_id":"a","instance":"h","level":"info","msg":"dapr initialized","scope":"dapr.runtime","time":"2026-02-17T12:00:00.5Z","type":"log","ver":"1"}`,
		`{"level":"warning","msg":"two \"words\"","scope":"s","component":"c","time":"2026-02-17T12:00:01Z"}`,
		`time="2026-02-17T12:00:02Z" level=info msg="local service" component="nr (mdns/v1)" scope=dapr.contrib type=log`,
		`{"level":"error","msg":"first complaint","scope":"s","time":"2026-02-17T12:00:03Z"}`,
		`{"level":"fatal","msg":"Fatal error from runtime: process component a error: incorrect type b.c","time":"2026-02-17T12:00:04Z"}`,
		``,
		`{"half":`,
		`panic: later`,
	}, "\n")
	var out strings.Builder
	sink := &logSink{log: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey && a.Value.Time().Format("2006-01-02") != "2026-02-17" {
				return slog.Attr{} // of lines without a time: now
			}
			return a
		},
	}))}
	for _, b := range []byte(input) { // in the smallest pieces a pipe may give
		if _, err := sink.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	want := `time=2026-02-17T12:00:00.500Z level=INFO msg="dapr initialized" scope=dapr.runtime
time=2026-02-17T12:00:01.000Z level=WARN msg="two \"words\"" scope=s component=c
time=2026-02-17T12:00:02.000Z level=INFO msg="local service" scope=dapr.contrib component="nr (mdns/v1)"
time=2026-02-17T12:00:03.000Z level=ERROR msg="first complaint" scope=s
time=2026-02-17T12:00:04.000Z level=ERROR msg="Fatal error from runtime: process component a error: incorrect type b.c"
level=ERROR msg="{\"half\":"
level=ERROR msg="panic: later"
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if got, want := sink.cause(&process{}).Error(), `component "a": unknown component type b.c`; got != want {
		t.Errorf("cause %q, want %q", got, want)
	}
}

func TestLogSinkLongLine(t *testing.T) {
	var out strings.Builder
	sink := &logSink{log: slog.New(slog.NewTextHandler(&out, nil))}
	if _, err := sink.Write([]byte(strings.Repeat("x", maxLine+1))); err != nil {
		t.Fatal(err)
	}
	if len(sink.partial) != 0 || out.Len() < maxLine {
		t.Errorf("%d bytes kept back, %d written", len(sink.partial), out.Len())
	}
}
