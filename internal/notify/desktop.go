package notify

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"unicode/utf16"
)

// A Runner runs a program to its end, without a shell, and ends it with ctx. Its
// error is nil when the program exits with 0.
type Runner func(ctx context.Context, name string, args ...string) error

// A Desktop shows notifications on the screen of the user who runs the program, with
// the operating system's own command. It can't tell a repeat: each is shown.
type Desktop struct {
	run     Runner
	command func(subject, details string) []string
}

// NewDesktop returns the Desktop of an operating system, named as runtime.GOOS
// does: notify-send is run on Linux and the BSDs, osascript on macOS, powershell on
// Windows.
func NewDesktop(goos string, run Runner) (*Desktop, error) {
	d := &Desktop{run: run}
	switch goos {
	case "linux", "freebsd", "openbsd", "netbsd", "dragonfly":
		d.command = notifySend
	case "darwin":
		d.command = osascript
	case "windows":
		d.command = powershell
	default:
		return nil, fmt.Errorf("there are no desktop notifications on %s", goos)
	}
	return d, nil
}

// Send implements [Channel].
func (d *Desktop) Send(ctx context.Context, n Notification) error {
	command := d.command(n.Subject(), n.details())
	if err := d.run(ctx, command[0], command[1:]...); err != nil {
		return transient("%s: %w", command[0], inTime(ctx, err))
	}
	return nil
}

// notifySend has the user's text in the summary only: the body is markup, and
// backslashes in it are read.
func notifySend(subject, details string) []string {
	return []string{"notify-send", "--app-name=todoctl", "--", subject, details}
}

// osascript hands the texts to a script that never changes.
func osascript(subject, details string) []string {
	return []string{
		"osascript", "-e", "on run argv",
		"-e", "display notification (item 2 of argv) with title (item 1 of argv)",
		"-e", "end run", subject, details,
	}
}

// powershell makes a toast. Arguments after -Command would be read as script, so
// the texts stand in the script as base64, whose letters mean nothing to it.
func powershell(subject, details string) []string {
	const (
		// The name under which Windows knows PowerShell itself: it shows toasts of registered programs only.
		app    = `{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}\WindowsPowerShell\v1.0\powershell.exe`
		script = `$ErrorActionPreference = 'Stop'
$null = [Windows.UI.Notifications.ToastNotificationManager, Windows.UI.Notifications, ContentType = WindowsRuntime]
function text($s) { [Text.Encoding]::UTF8.GetString([Convert]::FromBase64String($s)) }
$toast = [Windows.UI.Notifications.ToastNotificationManager]::GetTemplateContent([Windows.UI.Notifications.ToastTemplateType]::ToastText02)
$lines = $toast.GetElementsByTagName('text')
$null = $lines.Item(0).AppendChild($toast.CreateTextNode((text 'SUBJECT')))
$null = $lines.Item(1).AppendChild($toast.CreateTextNode((text 'DETAILS')))
[Windows.UI.Notifications.ToastNotificationManager]::CreateToastNotifier('APP').Show([Windows.UI.Notifications.ToastNotification]::new($toast))
`
	)
	encode := base64.StdEncoding.EncodeToString
	filled := strings.NewReplacer("SUBJECT", encode([]byte(subject)), "DETAILS", encode([]byte(details)), "APP", app).Replace(script)
	var utf16le []byte
	for _, unit := range utf16.Encode([]rune(filled)) {
		utf16le = binary.LittleEndian.AppendUint16(utf16le, unit)
	}
	return []string{"powershell", "-NoProfile", "-NonInteractive", "-EncodedCommand", encode(utf16le)}
}
