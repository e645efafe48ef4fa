package notify

import (
	"fmt"
	"time"
)

// QuietHours are a part of each day, from From up to To by the clocks of a time
// zone, over midnight where To is not after From. The zero value has none.
type QuietHours struct {
	From, To ClockTime
	Zone     *time.Location // nil is UTC
}

// A ClockTime is what a clock shows, in minutes after midnight.
type ClockTime int

// ParseClockTime reads a time such as 22:00, from 00:00 to 23:59.
func ParseClockTime(s string) (ClockTime, error) {
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of day such as 22:00", s)
	}
	return ClockTime(t.Hour()*60 + t.Minute()), nil
}

// String is the time as ParseClockTime reads it.
func (c ClockTime) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// Until is the time until which a notification that isn't urgent is to be held
// back at t, and the zero time where t is outside the quiet hours. A time that the
// clocks skip counts as the moment when they are put forward. Of a time that they
// show twice quiet hours begin with the first and end with the second.
func (q QuietHours) Until(t time.Time) time.Time {
	var until time.Time
	for end := q.end(t); !end.IsZero(); end = q.end(end) { // more than once only where a change of the clocks joins two nights
		until = end
	}
	return until
}

// end is the end of the quiet hours that t lies in, and zero outside of them.
func (q QuietHours) end(t time.Time) time.Time {
	if q.From == q.To {
		return time.Time{}
	}
	zone := q.Zone
	if zone == nil {
		zone = time.UTC
	}
	days := 0
	if q.To < q.From {
		days = 1
	}
	year, month, day := t.In(zone).Date()
	for _, first := range []int{day - 1, day} {
		from, _ := q.From.on(year, month, first, zone)
		_, to := q.To.on(year, month, first+days, zone)
		if !t.Before(from) && t.Before(to) {
			return to
		}
	}
	return time.Time{}
}

// on is when the clocks of a zone show a time on a day: the first and the last
// moment, which differ when they are put back over it. time.Date alone doesn't say
// which of them it takes, nor what it makes of a time that is skipped.
func (c ClockTime) on(year int, month time.Month, day int, zone *time.Location) (first, last time.Time) {
	wall := time.Date(year, month, day, 0, int(c), 0, 0, time.UTC)
	before, after := offsetAt(wall.AddDate(0, 0, -1), zone), offsetAt(wall.AddDate(0, 0, 1), zone)
	first, last = wall.Add(-max(before, after)).In(zone), wall.Add(-min(before, after)).In(zone)
	shows := func(t time.Time) bool { return offsetAt(t, zone) == wall.Sub(t) }
	switch {
	case shows(first) && shows(last):
		return first, last
	case shows(first):
		return first, first
	case shows(last):
		return last, last
	}
	change, _ := last.ZoneBounds()
	return change, change
}

// offsetAt is how far the clocks of a zone are ahead of UTC.
func offsetAt(t time.Time, zone *time.Location) time.Duration {
	_, seconds := t.In(zone).Zone()
	return time.Duration(seconds) * time.Second
}
