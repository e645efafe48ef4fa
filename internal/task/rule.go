package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

const (
	noRecurrence = "none"

	// maxInterval is the largest INTERVAL of a rule.
	maxInterval = 1000
	// maxADay bounds how often a rule may occur on one day.
	maxADay = 24
	// maxPositions bounds BYSETPOS: rrule-go goes over a whole period for each position.
	maxPositions = 10
	// cycle is after how many years the calendar repeats itself, weekdays included.
	cycle = 400
)

var errNoRule = errors.New("must be none, daily, weekly, monthly, yearly or an RFC 5545 rule such as FREQ=WEEKLY;BYDAY=MO")

// A rule is a recurrence that has been read.
type rule struct {
	option  rrule.ROption
	word    bool // one of our words, not an RFC 5545 rule
	until   string
	hasTime bool // UNTIL has a time of day
}

// parseRule reads one of the words or a recurrence rule (RFC 5545, section 3.3.10, with
// or without RRULE:). It is stricter than rrule-go where that would panic, search for
// long or read something else than RFC 5545.
func parseRule(text string) (rule, error) {
	words := map[string]rrule.Frequency{"daily": rrule.DAILY, "weekly": rrule.WEEKLY, "monthly": rrule.MONTHLY, "yearly": rrule.YEARLY}
	if freq, ok := words[text]; ok {
		return rule{option: rrule.ROption{Freq: freq}, word: true}, nil
	}
	text = strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(text)), "RRULE:")
	if !strings.Contains(";"+text, ";FREQ=") {
		return rule{}, errNoRule
	}
	parts, err := ruleParts(text)
	if err != nil {
		return rule{}, err
	}
	option, err := rrule.StrToROption(text)
	if err != nil {
		return rule{}, fmt.Errorf("isn't an RFC 5545 rule: %w", err)
	}
	if _, err := rrule.NewRRule(*option); err != nil {
		return rule{}, fmt.Errorf("isn't an RFC 5545 rule: %w", err)
	}
	r := rule{option: *option, until: parts["UNTIL"], hasTime: strings.Contains(parts["UNTIL"], "T")}
	return r, r.check(parts)
}

// ruleParts splits a rule into its parts, each of which may come once.
func ruleParts(text string) (map[string]string, error) {
	known := []string{"FREQ", "UNTIL", "COUNT", "INTERVAL", "BYSECOND", "BYMINUTE", "BYHOUR", "BYDAY", "BYMONTHDAY",
		"BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS", "WKST"}
	parts := make(map[string]string)
	for part := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(part, "=")
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("has the unknown part %q; known are %s", brief(name), strings.Join(known, ", "))
		}
		if _, twice := parts[name]; twice {
			return nil, fmt.Errorf("has %s twice", name)
		}
		parts[name] = value
	}
	return parts, nil
}

// check refuses what RFC 5545 forbids and what can't be worked out in short time.
func (r rule) check(parts map[string]string) error {
	has := func(name string) bool { _, ok := parts[name]; return ok }
	o := r.option
	times := max(1, len(o.Byhour)) * max(1, len(o.Byminute)) * max(1, len(o.Bysecond))
	switch {
	case o.Freq > rrule.DAILY:
		return fmt.Errorf("FREQ=%s is too often: the shortest is DAILY", o.Freq)
	case times > maxADay:
		return fmt.Errorf("occurs %d times a day, at most %d are possible", times, maxADay)
	case has("INTERVAL") && (o.Interval < 1 || o.Interval > maxInterval):
		return fmt.Errorf("INTERVAL must be 1 to %d, is %d", maxInterval, o.Interval)
	case has("COUNT") && o.Count < 1:
		return fmt.Errorf("COUNT must be 1 or more, is %d", o.Count)
	case has("COUNT") && has("UNTIL"):
		return errors.New("must not have both COUNT and UNTIL")
	case len(o.Bysetpos) > maxPositions:
		return fmt.Errorf("BYSETPOS has %d positions, at most %d are possible", len(o.Bysetpos), maxPositions)
	case has("BYSETPOS") && o.Freq == rrule.DAILY:
		return errors.New("BYSETPOS doesn't go with FREQ=DAILY")
	case has("BYWEEKNO") && o.Freq != rrule.YEARLY:
		return errors.New("BYWEEKNO goes with FREQ=YEARLY only")
	case has("BYYEARDAY") && o.Freq != rrule.YEARLY:
		return errors.New("BYYEARDAY goes with FREQ=YEARLY only")
	case has("BYMONTHDAY") && o.Freq == rrule.WEEKLY:
		return errors.New("BYMONTHDAY doesn't go with FREQ=WEEKLY")
	case o.Wkst.N() != 0:
		return errors.New("WKST must be a day of the week such as MO")
	}
	return r.checkDays(has("BYMONTH"), has("BYWEEKNO"))
}

// checkDays bounds the numbers before weekdays: rrule-go counts past the end of its
// tables with larger ones.
func (r rule) checkDays(months, weeks bool) error {
	most := 53
	if r.option.Freq == rrule.MONTHLY || months {
		most = 5
	}
	for _, day := range r.option.Byweekday {
		switch n := max(day.N(), -day.N()); {
		case n == 0:
		case r.option.Freq > rrule.MONTHLY || weeks:
			return errors.New("BYDAY has numbers with FREQ=MONTHLY and FREQ=YEARLY without BYWEEKNO only")
		case n > most:
			return fmt.Errorf("BYDAY has %s, the number must be 1 to %d or -1 to -%d", day, most, most)
		}
	}
	return nil
}

// firstFrom returns the first occurrence at from or later of the series that starts at
// start. Both keep to the clock of the zone: 09:00 stays 09:00 when the offset changes.
// Occurrences lie in the years up to 9999.
//
// A rule that never occurs is found out by a search to the year 9999, the last one of
// rrule-go. So the series is moved there by whole cycles of the calendar, which makes
// that 400 to 800 years; rrule-go's own bound of 292 years after the start is met first
// by rules that occur.
func (r rule) firstFrom(start, from time.Time, zone *time.Location) (time.Time, bool) {
	wall := wallClock(start, zone)
	years := max(0, (9599-wall.Year())/cycle*cycle)
	option := r.option
	option.Dtstart = wall.AddDate(years, 0, 0)
	if r.until != "" {
		option.Until = r.lastWall(zone).AddDate(years, 0, 0)
	}
	if r.word {
		stayAtMonthEnd(&option)
	}
	made, err := rrule.NewRRule(option)
	if err != nil {
		return time.Time{}, false // parseRule has tried
	}
	fraction := time.Duration(wall.Nanosecond()) // rrule-go knows seconds
	found := made.After(wallClock(from, zone).AddDate(years, 0, 0).Add(-fraction), true)
	if found.IsZero() {
		return time.Time{}, false
	}
	at := fromWallClock(found.AddDate(-years, 0, 0).Add(fraction), zone)
	return at, at.Year() <= 9999
}

// lastWall is UNTIL on the clock of the zone. A date means the whole day.
func (r rule) lastWall(zone *time.Location) time.Time {
	until := r.option.Until
	switch {
	case !r.hasTime:
		return until.Add(24*time.Hour - time.Second)
	case strings.HasSuffix(r.until, "Z"):
		return wallClock(until, zone)
	default:
		return until
	}
}

// stayAtMonthEnd makes monthly and yearly fall on the last day of a month that is too
// short, where RFC 5545 would leave the month out.
func stayAtMonthEnd(option *rrule.ROption) {
	day := option.Dtstart.Day()
	switch {
	case day <= 28:
		return
	case option.Freq == rrule.YEARLY && option.Dtstart.Month() == time.February:
		option.Bymonth = []int{2}
	case option.Freq != rrule.MONTHLY:
		return
	}
	for d := 28; d <= day; d++ {
		option.Bymonthday = append(option.Bymonthday, d)
	}
	option.Bysetpos = []int{-1}
}
