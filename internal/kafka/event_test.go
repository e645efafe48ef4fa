package kafka_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/todoctl/todoctl/internal/kafka"
)

// A value is taken for JSON where the standard library does, and it is UTF-8.
func FuzzParseEvent(f *testing.F) {
	for _, s := range []string{
		``, `1`, `-0.5e+7`, `01`, `1.`, `.5`, `-`, `1e`, `"a\u00e9\n\/"`, `"\u12g4"`, `"\x"`, "\"\x1f\"", "\"\x7f\u009b\"", "\"\xff\"",
		`"eight chars and a \" quote"`, `"日本語 and ASCII behind it"`, `[1, [2], {"a":{}} ,null]`, `[1,]`, `{"a":1,}`, `{"a" : true}`, `{a:1}`,
		`nul`, `falsey`, " \t\r\n1\n", `1}`, `1,"x":2`, `"seven77"`, `"#!~"`, `"\u0022"`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > 150 {
			t.Skip("deeper than a line may be")
		}
		value := append(append([]byte(`{"specversion":"1.0","data":`), data...), '}')
		_, got := kafka.ParseEvent(&kgo.Record{Value: value})
		if want := json.Valid(value) && utf8.Valid(value); got != want {
			t.Errorf("%q: an event: %t, valid JSON: %t", value, got, want)
		}
	})
}

func TestParseEventIsBounded(t *testing.T) {
	nested := func(depth int) []byte {
		open, shut := bytes.Repeat([]byte("["), depth), bytes.Repeat([]byte("]"), depth)
		return append(append(append([]byte(`{"specversion":"1.0","data":`), open...), shut...), '}')
	}
	for depth, want := range map[int]bool{150: true, 10_000_000: false} {
		if _, ok := kafka.ParseEvent(&kgo.Record{Value: nested(depth)}); ok != want {
			t.Errorf("%d deep: an event: %t, want %t", depth, ok, want)
		}
	}
}
