package kafka

import (
	"bytes"
	"testing"
)

func FuzzNeedle(f *testing.F) {
	for _, s := range []string{"", "a", "123", "created\"", "\\u", "zzaz", "é", "_base64\""} {
		f.Add(s, []byte(`{"type":"task.created","title":"\u00e9é zzzaz 1123"}`+s))
	}
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		if got, want := newNeedle(text).index(b), bytes.Index(b, []byte(text)); got != want {
			t.Errorf("%q in %q: at %d, want %d", text, b, got, want)
		}
	})
}
