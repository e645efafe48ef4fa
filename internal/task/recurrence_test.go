package task

import (
	"slices"
	"strings"
	"testing"
	"time"
)

const shown = "2006-01-02T15:04:05Z07:00"

func parsed(t *testing.T, text string) *time.Time {
	t.Helper()
	at, err := ParseTime(text)
	if err != nil {
		t.Fatal(err)
	}
	return &at
}

// created makes a task as a client does.
func created(t *testing.T, p Patch) Task {
	t.Helper()
	p.Title = ptr("again")
	return taken(t, Change{Action: Create, UserID: "u1", Patch: p}, nil)
}

func taken(t *testing.T, c Change, current *Task) Task {
	t.Helper()
	got, err := c.Apply(current, Reminder{}, 1, noon, eventID)
	if err != nil {
		t.Fatal(err)
	}
	return got.Task
}

func completed(t *testing.T, task Task) Task {
	t.Helper()
	return taken(t, Change{Action: Toggle, UserID: "u1"}, &task)
}

// followers completes a task and those that follow, n of them or to the end.
func followers(t *testing.T, task Task, n int) (all []Task) {
	t.Helper()
	for range n {
		next, ok := completed(t, task).Next()
		if !ok {
			break
		}
		task = taken(t, next, nil)
		all = append(all, task)
	}
	return all
}

func TestNextDueDates(t *testing.T) {
	for name, tt := range map[string]struct {
		rule, zone, due, end string
		want                 string // the due dates that follow, in the zone, without seconds; "." at the end of the series
	}{
		"daily":                        {"daily", "", "2026-02-27T09:00", "", "02-28T09:00 03-01T09:00 03-02T09:00"},
		"daily over a leap day":        {"daily", "", "2028-02-28T09:00", "", "02-29T09:00 03-01T09:00"},
		"weekly":                       {"weekly", "", "2026-12-28T09:00", "", "01-04T09:00 01-11T09:00"},
		"monthly on the 31st":          {"monthly", "", "2026-01-31T09:00", "", "02-28T09:00 03-31T09:00 04-30T09:00 05-31T09:00"},
		"monthly on the 31st, leap":    {"monthly", "", "2027-12-31T09:00", "", "01-31T09:00 02-29T09:00 03-31T09:00"},
		"monthly on the 30th":          {"monthly", "", "2026-01-30T09:00", "", "02-28T09:00 03-30T09:00 04-30T09:00"},
		"monthly on the 29th":          {"monthly", "", "2026-01-29T09:00", "", "02-28T09:00 03-29T09:00"},
		"monthly on the 28th":          {"monthly", "", "2028-01-28T09:00", "", "02-28T09:00 03-28T09:00"},
		"monthly, last day in zone":    {"monthly", "America/New_York", "2026-02-01T02:00", "", "02-28T21:00 03-31T21:00 04-30T21:00"},
		"yearly":                       {"yearly", "", "2026-03-15T09:00", "", "03-15T09:00 03-15T09:00"},
		"yearly on a leap day":         {"yearly", "", "2024-02-29T09:00", "", "02-28T09:00 02-28T09:00 02-28T09:00 02-29T09:00"},
		"century without leap day":     {"yearly", "", "2096-02-29T09:00", "", "02-28T09:00 02-28T09:00 02-28T09:00 02-28T09:00 02-28T09:00"},
		"RFC: the 31st only":           {"FREQ=MONTHLY", "", "2026-01-31T09:00", "", "03-31T09:00 05-31T09:00 07-31T09:00"},
		"RFC: last day":                {"FREQ=MONTHLY;BYMONTHDAY=-1", "", "2026-01-31T09:00", "", "02-28T09:00 03-31T09:00"},
		"RFC: second Tuesday":          {"RRULE:FREQ=MONTHLY;BYDAY=2TU", "", "2026-01-13T09:00", "", "02-10T09:00 03-10T09:00"},
		"RFC: every other Monday":      {"FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", "", "2026-01-05T09:00", "", "01-19T09:00 02-02T09:00"},
		"RFC: small letters":           {"freq=weekly;byday=mo,we", "", "2026-01-05T09:00", "", "01-07T09:00 01-12T09:00"},
		"RFC: due on another day":      {"FREQ=WEEKLY;BYDAY=MO", "", "2026-01-07T09:00", "", "01-12T09:00 01-19T09:00"},
		"RFC: three times":             {"FREQ=DAILY;COUNT=3", "", "2026-01-05T09:00", "", "01-06T09:00 01-07T09:00 ."},
		"RFC: until a time":            {"FREQ=DAILY;UNTIL=20260106T090000Z", "", "2026-01-05T09:00", "", "01-06T09:00 ."},
		"RFC: until a date":            {"FREQ=DAILY;UNTIL=20260106", "America/New_York", "2026-01-05T23:00:00-05:00", "", "01-06T23:00 ."},
		"RFC: until, in the zone":      {"FREQ=DAILY;UNTIL=20260107T035959Z", "America/New_York", "2026-01-05T23:00:00-05:00", "", "."},
		"RFC: twice a day":             {"FREQ=DAILY;BYHOUR=9,17", "", "2026-01-05T09:00", "", "01-05T17:00 01-06T09:00"},
		"no end":                       {"FREQ=DAILY", "", "9999-12-30T09:00", "", "12-31T09:00 ."},
		"year 9999":                    {"yearly", "", "9999-01-31T09:00", "", "."},
		"year 1":                       {"daily", "", "0001-01-01T09:00", "", "01-02T09:00"},
		"spring forward":               {"daily", "Europe/Berlin", "2026-03-28T08:00", "", "03-29T09:00 03-30T09:00"},
		"fall back":                    {"daily", "America/New_York", "2026-10-31T13:00", "", "11-01T09:00 11-02T09:00"},
		"in the gap":                   {"daily", "Europe/Berlin", "2026-03-28T01:30", "", "03-29T03:30 03-30T02:30"},
		"in the hour that comes twice": {"daily", "Europe/Berlin", "2026-10-24T00:30", "", "10-25T02:30 10-26T02:30"},
		"weekly over the change":       {"weekly", "Europe/Berlin", "2026-03-25T08:00", "", "04-01T09:00"},
		"a day that was left out":      {"daily", "Pacific/Apia", "2011-12-29T09:00:00-10:00", "", "12-31T09:00 01-01T09:00 01-02T09:00"},
		"end, inclusive":               {"daily", "", "2026-01-05T09:00", "2026-01-07T09:00", "01-06T09:00 01-07T09:00 ."},
		"end just before":              {"daily", "", "2026-01-05T09:00", "2026-01-07T08:59", "01-06T09:00 ."},
		"end on a date":                {"daily", "America/New_York", "2026-01-05T23:00:00-05:00", "2026-01-07", "01-06T23:00 01-07T23:00 ."},
		"ends at once":                 {"daily", "", "2026-01-05T09:00", "2026-01-05T09:00", "."},
		"not at all":                   {"none", "", "2026-01-05T09:00", "", "."},
	} {
		t.Run(name, func(t *testing.T) {
			p := Patch{Recurrence: &tt.rule, Timezone: &tt.zone, DueDate: parsed(t, tt.due)}
			if tt.end != "" {
				p.RecurrenceEnd = parsed(t, tt.end)
			}
			task := created(t, p)
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Fields(tt.want)
			var got []string
			for _, next := range followers(t, task, len(want)) {
				got = append(got, next.DueDate.In(zone).Format("01-02T15:04"))
			}
			if len(got) < len(want) {
				got = append(got, ".")
			}
			if !slices.Equal(got, want) {
				t.Errorf("due %v, want %v", got, want)
			}
		})
	}
}

func TestNextReminders(t *testing.T) {
	for name, tt := range map[string]struct{ due, remind, want string }{
		"hours before":            {"2026-03-27T20:00:00Z", "2026-03-27T17:00:00Z", "2026-03-28T20:00:00Z 2026-03-28T17:00:00Z"},
		"the evening before, DST": {"2026-03-28T08:00:00Z", "2026-03-27T17:00:00Z", "2026-03-29T07:00:00Z 2026-03-28T17:00:00Z"},
		"after the due date":      {"2026-03-27T08:00:00Z", "2026-03-28T17:00:00Z", "2026-03-28T08:00:00Z 2026-03-29T16:00:00Z"},
		"without due date":        {"", "2026-03-28T08:00:00Z", "- 2026-03-29T07:00:00Z"},
	} {
		p := Patch{Recurrence: ptr("daily"), Timezone: ptr("Europe/Berlin"), RemindAt: parsed(t, tt.remind)}
		if tt.due != "" {
			p.DueDate = parsed(t, tt.due)
		}
		next := followers(t, created(t, p), 1)[0]
		got := "- " + next.RemindAt.Format(shown)
		if next.DueDate != nil {
			got = next.DueDate.Format(shown) + " " + next.RemindAt.Format(shown)
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

// The next task is the task once more, and knows where it comes from.
func TestNextKeepsTheFields(t *testing.T) {
	first := created(t, Patch{
		Description: ptr("d"), Priority: ptr(High), Tags: ptr([]string{"a"}), DueDate: parsed(t, "2026-01-31T09:00"), RemindBefore: ptr(ptr(30)),
		Timezone: ptr("Europe/Berlin"), Channels: ptr([]string{"email"}), Recurrence: ptr("monthly"), RecurrenceEnd: parsed(t, "2026-12-31"),
	})
	next := followers(t, first, 1)[0]
	if next.Title != first.Title || next.Description != "d" || next.Priority != High || !slices.Equal(next.Tags, first.Tags) || *next.RemindBefore != 30 ||
		next.Timezone != first.Timezone || !slices.Equal(next.Channels, first.Channels) || next.Recurrence != first.Recurrence ||
		!next.RecurrenceEnd.Equal(*first.RecurrenceEnd) || next.Completed || next.Sequence != 1 {
		t.Errorf("next %+v\nof   %+v", next, first)
	}
	if !next.RecurrenceStart.Equal(*first.DueDate) || *next.PreviousID != first.ID || first.PreviousID != nil || first.RecurrenceStart != nil {
		t.Errorf("next %+v, want the start and id of the first", next)
	}
	if _, ok := next.Next(); ok {
		t.Error("an open task has a next one")
	}
}

// A task that is moved starts its series anew; other changes leave it.
func TestSeriesStartsAnewWhenMoved(t *testing.T) {
	second := followers(t, created(t, Patch{DueDate: parsed(t, "2026-01-31T09:00"), Recurrence: ptr("monthly")}), 1)[0]
	renamed := taken(t, Change{Action: Update, UserID: "u1", Patch: Patch{Title: ptr("b"), RecurrenceEnd: parsed(t, "2027-01-01")}}, &second)
	if due := followers(t, renamed, 1)[0].DueDate.Format(shown); due != "2026-03-31T09:00:00Z" {
		t.Errorf("renamed: next due %s, want the 31st", due)
	}
	for name, p := range map[string]Patch{
		"date": {DueDate: parsed(t, "2026-02-27T09:00")},
		"rule": {Recurrence: ptr("FREQ=MONTHLY;BYMONTHDAY=27")},
	} {
		changed := taken(t, Change{Action: Update, UserID: "u1", Patch: p}, &second)
		if due := followers(t, changed, 1)[0].DueDate.Format(shown); changed.RecurrenceStart != nil || due != "2026-03-27T09:00:00Z" {
			t.Errorf("%s: start %v, next due %s; want the 27th", name, changed.RecurrenceStart, due)
		}
	}
}

func TestNextWithoutDates(t *testing.T) {
	next := followers(t, created(t, Patch{Recurrence: ptr("daily")}), 2)
	want := Timestamp(noon.Add(24 * time.Hour))
	if len(next) != 2 || next[0].DueDate == nil || !next[0].DueDate.Equal(want) || !next[1].DueDate.Equal(want.Add(24*time.Hour)) {
		t.Errorf("next %+v, want them due a day after the completion and the day after", next)
	}
}

func TestBadRecurrences(t *testing.T) {
	const due = "2026-01-05T09:00"
	for name, tt := range map[string]struct{ rule, end, want string }{
		"no rule":                {"often", "", "recurrence: must be none, daily, weekly, monthly, yearly or an RFC 5545 rule such as FREQ=WEEKLY;BYDAY=MO"},
		"unknown frequency":      {"FREQ=OFTEN", "", "recurrence: isn't an RFC 5545 rule: undefined frequency: OFTEN"},
		"unknown part":           {"FREQ=DAILY;BYMOON=1", "", `recurrence: has the unknown part "BYMOON"; known are `},
		"a start of its own":     {"FREQ=DAILY;DTSTART=20260101", "", `recurrence: has the unknown part "DTSTART"`},
		"two lines":              {"DTSTART:20260101\nRRULE:FREQ=DAILY", "", "recurrence: must be none, daily,"},
		"the same part twice":    {"FREQ=DAILY;FREQ=WEEKLY", "", "recurrence: has FREQ twice"},
		"no value":               {"FREQ=DAILY;COUNT=", "", "recurrence: isn't an RFC 5545 rule: COUNT option has no value"},
		"hourly":                 {"FREQ=HOURLY", "", "recurrence: FREQ=HOURLY is too often: the shortest is DAILY"},
		"every second":           {"FREQ=SECONDLY", "", "recurrence: FREQ=SECONDLY is too often"},
		"sixty times a day":      {"FREQ=DAILY;BYHOUR=1,2,3,4,5,6,7,8,9,10,11,12;BYMINUTE=1,2,3,4,5", "", "recurrence: occurs 60 times a day, at most 24 are possible"},
		"interval of nothing":    {"FREQ=DAILY;INTERVAL=0", "", "recurrence: INTERVAL must be 1 to 1000, is 0"},
		"interval without bound": {"FREQ=DAILY;INTERVAL=9223372036854775807", "", "recurrence: INTERVAL must be 1 to 1000"},
		"no time at all":         {"FREQ=DAILY;COUNT=0", "", "recurrence: COUNT must be 1 or more, is 0"},
		"two ends":               {"FREQ=DAILY;COUNT=3;UNTIL=20270101", "", "recurrence: must not have both COUNT and UNTIL"},
		"never: 30 February":     {"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "", "recurrence: never occurs from 2026-01-05T09:00:00Z on"},
		"never: day by day":      {"FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "", "recurrence: never occurs"},
		"never: 31 April":        {"FREQ=MONTHLY;BYMONTH=4,6;BYMONTHDAY=31", "", "recurrence: never occurs"},
		"never: a sixth Monday":  {"FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6", "", "recurrence: never occurs"},
		"never starts: until":    {"FREQ=DAILY;UNTIL=20251231", "", "recurrence: never occurs from 2026-01-05T09:00:00Z on"},
		"never starts: end":      {"daily", "2026-01-04", "recurrence_end: lies before the first occurrence, 2026-01-05T09:00:00Z"},
		"the 53rd of a month":    {"FREQ=YEARLY;BYMONTH=12;BYDAY=53MO", "", "recurrence: BYDAY has +53MO, the number must be 1 to 5 or -1 to -5"},
		"a first in a week":      {"FREQ=WEEKLY;BYDAY=1MO", "", "recurrence: BYDAY has numbers with FREQ=MONTHLY and FREQ=YEARLY without BYWEEKNO only"},
		"day 32":                 {"FREQ=MONTHLY;BYMONTHDAY=32", "", "recurrence: isn't an RFC 5545 rule: bymonthday must be between 1 and 31 or -1 and -31"},
		"weeks of a month":       {"FREQ=MONTHLY;BYWEEKNO=3", "", "recurrence: BYWEEKNO goes with FREQ=YEARLY only"},
		"days of a year, daily":  {"FREQ=DAILY;BYYEARDAY=3", "", "recurrence: BYYEARDAY goes with FREQ=YEARLY only"},
		"day of month, weekly":   {"FREQ=WEEKLY;BYMONTHDAY=3", "", "recurrence: BYMONTHDAY doesn't go with FREQ=WEEKLY"},
		"positions of a day":     {"FREQ=DAILY;BYSETPOS=1", "", "recurrence: BYSETPOS doesn't go with FREQ=DAILY"},
		"eleven positions":       {"FREQ=WEEKLY;BYSETPOS=1,2,3,4,5,6,7,1,2,3,4", "", "recurrence: BYSETPOS has 11 positions, at most 10 are possible"},
		"numbered week start":    {"FREQ=WEEKLY;WKST=2MO", "", "recurrence: WKST must be a day of the week such as MO"},
		"too long":               {"FREQ=DAILY;BYMONTHDAY=1" + strings.Repeat(",1", 300), "", "recurrence: must have 1 to 500 characters"},
	} {
		p := Patch{Title: ptr("a"), Recurrence: &tt.rule, DueDate: parsed(t, due)}
		if tt.end != "" {
			p.RecurrenceEnd = parsed(t, tt.end)
		}
		_, err := Change{Action: Create, UserID: "u1", Patch: p}.Apply(nil, Reminder{}, 1, noon, eventID)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

// A rule that an earlier todoctl let pass is in nobody's way, and gives nothing.
func TestStoredBadRuleStaysUsable(t *testing.T) {
	old := groceries()
	old.Recurrence = "often;FREQ="
	done := completed(t, *old)
	if _, ok := done.Next(); ok {
		t.Error("a rule that can't be read has a next task")
	}
	if _, err := (Change{Action: Update, UserID: "u1", Patch: Patch{DueDate: &noon}}).Apply(old, Reminder{}, 0, noon, eventID); err == nil {
		t.Error("it was taken for another date")
	}
}

// Whatever the rule, reading it and stepping through it ends, without a panic, and each
// occurrence is later than the one before.
func FuzzRule(f *testing.F) {
	for _, rule := range []string{
		"daily", "monthly", "FREQ=WEEKLY;BYDAY=MO,WE;INTERVAL=2", "RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=5", "FREQ=YEARLY;BYWEEKNO=53;BYDAY=SU",
		"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=DAILY;UNTIL=20270101T000000Z;BYSETPOS=-1", "FREQ=YEARLY;BYDAY=53MO,-53TU;WKST=SU",
		"FREQ=YEARLY;BYYEARDAY=-366,366;INTERVAL=1000", "FREQ=MONTHLY;BYMONTHDAY=-31;BYHOUR=0,23;BYSECOND=59", "FREQ=YEARLY;BYMONTH=12;BYDAY=53MO",
	} {
		f.Add(rule, int64(1769850000), uint8(0))
	}
	f.Add("FREQ=YEARLY;BYEASTER=1", int64(253402300799), uint8(1))
	zones := []string{UTC, "Europe/Berlin", "America/New_York", "Pacific/Apia", "Africa/Casablanca", "Asia/Kathmandu"}
	f.Fuzz(func(t *testing.T, text string, second int64, z uint8) {
		r, err := parseRule(text)
		start := time.Unix(second, 0).UTC()
		if err != nil || len(text) > MaxRecurrence || start.Year() < 1 || start.Year() > 9999 {
			return
		}
		zone, err := loadZone(zones[int(z)%len(zones)])
		if err != nil {
			t.Fatal(err)
		}
		at, ok := r.firstFrom(start, start, zone)
		for range 5 {
			if !ok {
				return
			}
			next, more := r.firstFrom(start, at.Add(time.Microsecond), zone)
			if more && !next.After(at) {
				t.Fatalf("%q from %s: %s comes after %s", text, start, next, at)
			}
			at, ok = next, more
		}
	})
}
