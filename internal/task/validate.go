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
	MaxChannels    = 10
	MaxChannel     = 30
	MaxUserID      = 128
)

// MaxRemindBefore is the largest RemindBefore, in minutes: a year.
const MaxRemindBefore = 525600

// Validate reports everything that is wrong with the fields that a user sets, as
// an *InvalidError, or nil.
func (t Task) Validate() error { return t.validate(true) }

// validate leaves the series out where it is as it was: what was stored stays usable,
// whatever an earlier todoctl let pass.
func (t Task) validate(series bool) error {
	var c checker
	c.text("user_id", t.UserID, 1, MaxUserID)
	c.text("title", t.Title, 1, MaxTitle)
	c.text("description", t.Description, 0, MaxDescription)
	if t.Priority.Rank() < 0 {
		c.add("priority", "must be low, medium, high or urgent, not %q", brief(t.Priority))
	}
	c.texts("tags", t.Tags, MaxTags, MaxTag)
	c.time("due_date", t.DueDate)
	c.time("remind_at", t.RemindAt)
	c.reminder(t)
	c.texts("channels", t.Channels, MaxChannels, MaxChannel)
	c.time("recurrence_end", t.RecurrenceEnd)
	if series {
		c.series(t)
	}
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

// texts holds a list to a number of texts, and each to a number of characters.
func (c *checker) texts(field string, list []string, most, longest int) {
	if len(list) > most {
		c.add(field, "must be at most %d, are %d", most, len(list))
	}
	for _, text := range list {
		c.text(field, text, 1, longest)
	}
}

func (c *checker) reminder(t Task) {
	if t.RemindBefore == nil {
		return
	}
	if n := *t.RemindBefore; n < 0 || n > MaxRemindBefore {
		c.add("remind_before", "must be 0 to %d minutes, is %d", MaxRemindBefore, n)
		return
	}
	if t.DueDate != nil {
		at := t.DueDate.Add(-time.Duration(*t.RemindBefore) * time.Minute)
		c.time("remind_before", &at)
	}
}

// series checks zone and recurrence together: whether a rule ever occurs depends on
// when it starts.
func (c *checker) series(t Task) {
	zone, err := loadZone(t.Timezone)
	if err != nil {
		c.add("timezone", "%v", err)
		return
	}
	if t.Recurrence == noRecurrence {
		return
	}
	before := len(c.problems)
	c.text("recurrence", t.Recurrence, 1, MaxRecurrence)
	if len(c.problems) > before {
		return
	}
	r, err := parseRule(t.Recurrence)
	if err != nil {
		c.add("recurrence", "%v", err)
		return
	}
	start := t.seriesStart()
	if _, ok := r.firstFrom(start, start, zone); !ok {
		c.add("recurrence", "never occurs from %s on", start.In(zone).Format(time.RFC3339))
		return
	}
	if t.ended(start, zone) {
		c.add("recurrence_end", "lies before the first occurrence, %s", start.In(zone).Format(time.RFC3339))
	}
}

// time keeps to the years that RFC 3339 can write: a zone can move 9999-12-31
// into the year 10000.
func (c *checker) time(field string, t *time.Time) {
	if t != nil && (t.Year() < 1 || t.Year() > 9999) {
		c.add(field, "must lie in the years 1 to 9999 in UTC")
	}
}
