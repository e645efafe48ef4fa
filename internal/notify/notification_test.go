package notify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 2, 17, 12, 0, 0, 0, time.UTC)

// groceries is a reminder without anything peculiar.
func groceries() Notification {
	return Notification{
		ID: "0198c2a0-0000-7000-8000-000000000001", TaskID: 123, UserID: "u1", Title: "Buy groceries",
		Due: noon.Add(time.Hour), RemindAt: noon,
	}
}

func TestText(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	plain, late, bare := groceries(), groceries(), groceries()
	late.Late, late.Due, late.RemindAt = true, late.Due.In(berlin), late.RemindAt.In(berlin)
	bare.Due = time.Time{}
	for _, c := range []struct {
		n    Notification
		want string
	}{
		{plain, "Reminder: Buy groceries\n\nDue Tue 17 Feb 2026, 13:00 UTC."},
		{late, "Late reminder: Buy groceries\n\nDue Tue 17 Feb 2026, 14:00 CET.\n" +
			"You wanted to be reminded on Tue 17 Feb 2026, 13:00 CET; this comes late."},
		{bare, "Reminder: Buy groceries\n\nYou wanted to be reminded now."},
	} {
		if diff := cmp.Diff(c.want, c.n.Text()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestSubjectIsOneLine(t *testing.T) {
	for title, want := range map[string]string{
		"a\r\nBcc: eve@example.com":   "Reminder: a Bcc: eve@example.com",
		"a\x00\x1b[31m\u0085b":        "Reminder: a [31m b",
		"a\u2028b\u2029c":             "Reminder: a b c",
		"\u202Egnp.exe\u2066":         "Reminder: gnp.exe",
		"--help":                      "Reminder: --help",
		"bad \xff bytes":              "Reminder: bad \uFFFD bytes",
		"Grüße 🎉 買い物":                 "Reminder: Grüße 🎉 買い物",
		strings.Repeat("é", 300):      "Reminder: " + strings.Repeat("é", 229) + "…",
		strings.Repeat("é", 230):      "Reminder: " + strings.Repeat("é", 230),
		"":                            "Reminder: ",
		"  blanks \t at both ends \n": "Reminder: blanks at both ends",
	} {
		n := groceries()
		n.Title = title
		if diff := cmp.Diff(want, n.Subject()); diff != "" {
			t.Errorf("title %q: %s", title, diff)
		}
	}
}

func TestKey(t *testing.T) {
	for id, whole := range map[string]bool{
		"0198c2a0-0000-7000-8000-000000000001": true, "msg_1": true, strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false, "a.b": false, "a b": false, "a\r\nX: y": false, "ä": false, "<a>": false,
	} {
		key := Notification{ID: id}.key()
		if whole != (key == id) {
			t.Errorf("id %q has the key %q", id, key)
		}
		if strings.ContainsAny(key, ". \r\n<>") || !utf8.ValidString(key) || len(key) > len("sha256-")+64 {
			t.Errorf("id %q has the key %q, which can't stand in a header", id, key)
		}
	}
	if a, b := (Notification{ID: "a.b"}).key(), (Notification{ID: "a.c"}).key(); a == b {
		t.Errorf("two ids have the key %s", a)
	}
}

// TestLog writes through a buffer: the line is out before Send returns.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	log := NewLog(bufio.NewWriter(&out))
	n := groceries()
	n.Title = "two\nlines"
	if err := log.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	want := `{"type":"reminder.due","timestamp":"2026-02-17T12:00:00Z","data":{` +
		`"id":"0198c2a0-0000-7000-8000-000000000001","task_id":123,"user_id":"u1","title":"two\nlines",` +
		`"due_date":"2026-02-17T13:00:00Z","remind_at":"2026-02-17T12:00:00Z","late":false}}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	var told payload
	if err := json.Unmarshal(out.Bytes(), &told); err != nil || told.Data.Title != n.Title {
		t.Errorf("read back: %+v, %v", told, err)
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestLogFailures(t *testing.T) {
	full := errors.New("disk full")
	err := NewLog(brokenWriter{full}).Send(t.Context(), groceries())
	if !errors.Is(err, full) || IsPermanent(err) {
		t.Errorf("a full disk: %v", err)
	}
	err = NewLog(bufio.NewWriter(brokenWriter{full})).Send(t.Context(), groceries())
	if !errors.Is(err, full) || IsPermanent(err) {
		t.Errorf("a full disk behind a buffer: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if err := NewLog(&out).Send(ended, groceries()); !errors.Is(err, context.Canceled) || out.Len() > 0 {
		t.Errorf("after the end: %v, wrote %q", err, out.String())
	}
	far := groceries()
	far.RemindAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := NewLog(&out).Send(t.Context(), far); !IsPermanent(err) {
		t.Errorf("a year that JSON can't hold: %v", err)
	}
}
