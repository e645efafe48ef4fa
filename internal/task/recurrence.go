package task

import "time"

// Next is the change that creates the next task of a completed task's series: the
// first occurrence after the one that was completed, also when that lies in the past.
// Dates keep to the clock of the task's zone; the reminder keeps its distance from the
// due date in days and its time of day. ok is false for a task that isn't completed or
// doesn't recur, and at the end of a series: RecurrenceEnd, COUNT, UNTIL, the year 9999.
//
// A task without due date and reminder is taken as due when it was completed.
func (t Task) Next() (c Change, ok bool) {
	if !t.Completed || t.CompletedAt == nil || t.Recurrence == noRecurrence {
		return Change{}, false
	}
	zone, err := loadZone(t.Timezone)
	if err != nil {
		return Change{}, false
	}
	r, err := parseRule(t.Recurrence)
	if err != nil {
		return Change{}, false // stored by an earlier todoctl, which didn't read rules
	}
	this, start := t.date(), t.seriesStart()
	if this == nil {
		this, start = t.CompletedAt, *t.CompletedAt
	}
	at, ok := r.firstFrom(start, this.Add(time.Microsecond), zone)
	if !ok || t.ended(at, zone) {
		return Change{}, false
	}
	return t.again(start, *this, at, zone), true
}

// again creates the task once more for another date.
func (t Task) again(start, this, at time.Time, zone *time.Location) Change {
	p := Patch{
		Title: &t.Title, Description: &t.Description, Priority: &t.Priority, Tags: &t.Tags,
		RemindBefore: &t.RemindBefore, Timezone: &t.Timezone, Channels: &t.Channels,
		Recurrence: &t.Recurrence, RecurrenceEnd: t.RecurrenceEnd,
	}
	if t.DueDate != nil || t.RemindAt == nil {
		p.DueDate = &at
	}
	if t.RemindAt != nil {
		remind := moved(*t.RemindAt, this, at, zone)
		p.RemindAt = &remind
	}
	return Change{Action: Create, UserID: t.UserID, Patch: p, RecurrenceStart: &start, PreviousID: t.ID}
}

// moved is t as far from to, in days on the calendar, as it was from from.
func moved(t, from, to time.Time, zone *time.Location) time.Time {
	day := func(t time.Time) time.Time { return wallClock(t, zone).Truncate(24 * time.Hour) }
	return fromWallClock(wallClock(t, zone).Add(day(to).Sub(day(from))), zone)
}

// date is the one by which the task recurs, nil without any.
func (t Task) date() *time.Time {
	if t.DueDate != nil {
		return t.DueDate
	}
	return t.RemindAt
}

// seriesStart is the date from which the series counts.
func (t Task) seriesStart() time.Time {
	switch date := t.date(); {
	case t.RecurrenceStart != nil:
		return *t.RecurrenceStart
	case date != nil:
		return *date
	default:
		return t.CreatedAt
	}
}

// sameSeries reports whether the task recurs by the rule, date and zone that it had.
func (t Task) sameSeries(old Task) bool {
	return t.Recurrence == old.Recurrence && t.Timezone == old.Timezone && sameTime(t.date(), old.date())
}

// ended reports whether an occurrence comes after RecurrenceEnd. That is inclusive, and
// midnight in UTC is a date: its whole day, on the clock of the zone, is in.
func (t Task) ended(at time.Time, zone *time.Location) bool {
	if t.RecurrenceEnd == nil {
		return false
	}
	end := *t.RecurrenceEnd
	if end.Equal(end.Truncate(24 * time.Hour)) {
		return !wallClock(at, zone).Before(end.Add(24 * time.Hour))
	}
	return at.After(end)
}

func sameTime(a, b *time.Time) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Equal(*b)
}
