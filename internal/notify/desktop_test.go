package notify

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
)

// hostileTitles would be an option, a shell's, AppleScript's or PowerShell's text,
// or markup.
func hostileTitles() []string {
	return []string{
		"--help", "-e", "$(touch pwned)", "`touch pwned`", "; touch pwned", `" & do shell script "touch pwned" & "`,
		"'; Remove-Item x; '", "’; Remove-Item x; ‘", "SUBJECT DETAILS APP", "<b>bold</b> & <a href='x'>y</a>", `\n\t\0`, "a\x00b", "a\nb", "%PATH%", "买い物",
	}
}

// ran is what a Desktop of goos runs for a title.
func ran(t *testing.T, goos, title string) []string {
	t.Helper()
	var command []string
	desktop, err := NewDesktop(goos, func(_ context.Context, name string, args ...string) error {
		command = append([]string{name}, args...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := groceries()
	n.Title = title
	if err := desktop.Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	return command
}

func TestDesktopCommands(t *testing.T) {
	for _, title := range hostileTitles() {
		n := groceries()
		n.Title = title
		if diff := cmp.Diff([]string{"notify-send", "--app-name=todoctl", "--", n.Subject(), "Due Tue 17 Feb 2026, 13:00 UTC."}, ran(t, "linux", title)); diff != "" {
			t.Error(diff)
		}
		mac := ran(t, "darwin", title)
		if !slices.Equal(mac[:7], ran(t, "darwin", "a")[:7]) || mac[7] != n.Subject() || strings.HasPrefix(mac[7], "-") {
			t.Errorf("%q: %q", title, mac)
		}
	}
}

// TestDesktopPowerShell reads the script back: whatever the title, it is the same
// but for one base64 text.
func TestDesktopPowerShell(t *testing.T) {
	quoted := regexp.MustCompile(`text '([^']*)'`)
	var shape string
	for _, title := range hostileTitles() {
		command := ran(t, "windows", title)
		raw, err := base64.StdEncoding.DecodeString(command[len(command)-1])
		if err != nil || !slices.Equal(command[:4], []string{"powershell", "-NoProfile", "-NonInteractive", "-EncodedCommand"}) {
			t.Fatalf("%v, %v", command, err)
		}
		var units []uint16
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, binary.LittleEndian.Uint16(raw[i:]))
		}
		script := string(utf16.Decode(units))
		texts := quoted.FindAllStringSubmatch(script, -1)
		if len(texts) != 2 {
			t.Fatalf("%q: %s", title, script)
		}
		n := groceries()
		n.Title = title
		if subject, err := base64.StdEncoding.DecodeString(texts[0][1]); err != nil || string(subject) != n.Subject() {
			t.Errorf("%q: subject %q, %v", title, subject, err)
		}
		rest := quoted.ReplaceAllString(script, "text ''")
		if shape == "" {
			shape = rest
		}
		if rest != shape {
			t.Errorf("%q changes the script: %s", title, cmp.Diff(shape, rest))
		}
	}
}

func TestDesktopFailures(t *testing.T) {
	missing := errors.New("executable file not found")
	desktop, err := NewDesktop("linux", func(ctx context.Context, _ string, _ ...string) error {
		if _, ok := ctx.Deadline(); ok {
			<-ctx.Done()
			return errors.New("signal: killed")
		}
		return missing
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := desktop.Send(t.Context(), groceries()); !errors.Is(err, missing) || IsPermanent(err) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := desktop.Send(ctx, groceries()); err == nil || err.Error() != "notify-send: no answer in time" {
		t.Error(err)
	}
	if _, err := NewDesktop("plan9", nil); err == nil {
		t.Error("plan9 has desktop notifications")
	}
}
