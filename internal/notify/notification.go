package notify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"
	"unicode"
)

// A Notification tells a user that a task is to be thought of.
type Notification struct {
	ID       string // of the event that caused it; receivers tell a repeat by it
	TaskID   int64
	UserID   string
	Title    string    // as the user wrote it: any characters
	Due      time.Time // zero for a task without a due date
	RemindAt time.Time
	Late     bool // told well after RemindAt, because the worker was away
}

// maxSubject keeps a title, which has 200 characters at most in this application,
// whole, and an event of another's making in bounds.
const maxSubject = 240

// Subject is one line without control characters, at most 240 characters long. It
// never begins with the title, so a title can't pass for an option.
func (n Notification) Subject() string {
	subject := "Reminder: "
	if n.Late {
		subject = "Late reminder: "
	}
	line := []rune(subject + oneLine(n.Title))
	if len(line) > maxSubject {
		line = append(line[:maxSubject-1], '…')
	}
	return string(line)
}

// Text is the subject and what is to be said of it, in lines. Times are shown in
// the zone that they carry.
func (n Notification) Text() string { return n.Subject() + "\n\n" + n.details() }

// details has nothing in it that a user wrote.
func (n Notification) details() string {
	const layout = "Mon 2 Jan 2006, 15:04 MST"
	var lines []string
	if !n.Due.IsZero() {
		lines = append(lines, "Due "+n.Due.Format(layout)+".")
	}
	if n.Late {
		lines = append(lines, "You wanted to be reminded on "+n.RemindAt.Format(layout)+"; this comes late.")
	}
	if len(lines) == 0 {
		return "You wanted to be reminded now."
	}
	return strings.Join(lines, "\n")
}

// oneLine makes whatever a title holds one line of valid UTF-8.
func oneLine(s string) string {
	visible := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || isBidiControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Join(strings.Fields(visible), " ")
}

// isBidiControl tells of the characters that turn the direction of what follows,
// beyond the title.
func isBidiControl(r rune) bool {
	return r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
}

// key is the ID where it can stand in any header, and a digest of it otherwise:
// Standard Webhooks wants no dot in a webhook-id, and a Message-ID no blanks.
func (n Notification) key() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	if len(n.ID) <= 64 && strings.Trim(n.ID, letters) == "" {
		return n.ID
	}
	sum := sha256.Sum256([]byte(n.ID))
	return "sha256-" + hex.EncodeToString(sum[:])
}

// payload is a notification in JSON, as webhooks and log lines have it: type,
// timestamp and data of Standard Webhooks, with the words of the task API.
type payload struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      struct {
		ID       string     `json:"id"`
		TaskID   int64      `json:"task_id"`
		UserID   string     `json:"user_id"`
		Title    string     `json:"title"`
		DueDate  *time.Time `json:"due_date"`
		RemindAt time.Time  `json:"remind_at"`
		Late     bool       `json:"late"`
	} `json:"data"`
}

// json is the same for the same notification, whenever it is sent.
func (n Notification) json() ([]byte, error) {
	p := payload{Type: "reminder.due", Timestamp: n.RemindAt.UTC()}
	p.Data.ID, p.Data.TaskID, p.Data.UserID, p.Data.Title = n.ID, n.TaskID, n.UserID, n.Title
	p.Data.RemindAt, p.Data.Late = n.RemindAt.UTC(), n.Late
	if !n.Due.IsZero() {
		due := n.Due.UTC()
		p.Data.DueDate = &due
	}
	body, err := json.Marshal(p)
	if err != nil {
		return nil, permanent("write the notification as JSON: %w", err)
	}
	return body, nil
}
