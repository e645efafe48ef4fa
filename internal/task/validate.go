package task

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// The limits of a task's fields, in characters (Unicode code points).
const (
	MaxTitle       = 200
	MaxDescription = 2000
	MaxTags        = 20
	MaxTag         = 50
	MaxRecurrence  = 500
	MaxUserID      = 128
)

// Validate reports everything that is wrong with the fields that a user sets, as
// an *InvalidError, or nil.
func (t Task) Validate() error {
	var c checker
	c.text("user_id", t.UserID, 1, MaxUserID)
	c.text("title", t.Title, 1, MaxTitle)
	c.text("description", t.Description, 0, MaxDescription)
	if t.Priority.Rank() < 0 {
		c.add("priority", "must be low, medium, high or urgent, not %q", brief(t.Priority))
	}
	if len(t.Tags) > MaxTags {
		c.add("tags", "must be at most %d, are %d", MaxTags, len(t.Tags))
	}
	for _, tag := range t.Tags {
		c.text("tags", tag, 1, MaxTag)
	}
	c.recurrence(t.Recurrence)
	c.time("due_date", t.DueDate)
	c.time("remind_at", t.RemindAt)
	c.time("recurrence_end", t.RecurrenceEnd)
	if c.problems == nil {
		return nil
	}
	return &InvalidError{Problems: c.problems}
}

type checker struct {
	problems []Problem
}

func (c *checker) add(field, format string, args ...any) {
	c.problems = append(c.problems, Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// text holds a string to a number of characters, and to what both databases can
// store: PostgreSQL has no NUL in a text.
func (c *checker) text(field, s string, least, most int) {
	n := utf8.RuneCountInString(s)
	switch {
	case n < least || n > most:
		c.add(field, "must have %d to %d characters, has %d", least, most, n)
	case !utf8.ValidString(s):
		c.add(field, "must be valid UTF-8")
	case strings.ContainsRune(s, 0):
		c.add(field, "must not contain the NUL character")
	}
}

// recurrence takes the five words and the outer form of an RFC 5545 rule.
func (c *checker) recurrence(rule string) {
	switch rule {
	case "none", "daily", "weekly", "monthly", "yearly":
		return
	}
	c.text("recurrence", rule, 1, MaxRecurrence)
	if !strings.Contains(";"+strings.TrimPrefix(rule, "RRULE:"), ";FREQ=") {
		c.add("recurrence", "must be none, daily, weekly, monthly, yearly or an RFC 5545 rule such as FREQ=WEEKLY;BYDAY=MO")
	}
}

// time keeps to the years that RFC 3339 can write: a zone can move 9999-12-31
// into the year 10000.
func (c *checker) time(field string, t *time.Time) {
	if t != nil && (t.Year() < 1 || t.Year() > 9999) {
		c.add(field, "must lie in the years 1 to 9999 in UTC")
	}
}
