package notify

import (
	"testing"
	"time"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func clock(t *testing.T, s string) ClockTime {
	t.Helper()
	c, err := ParseClockTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestQuietUntil(t *testing.T) {
	for _, c := range []struct {
		name, from, to, zone string
		at, until            string // RFC 3339; until is empty outside
	}{
		{"over midnight, evening", "22:00", "07:00", "UTC", "2026-02-17T23:30:00Z", "2026-02-18T07:00:00Z"},
		{"over midnight, morning", "22:00", "07:00", "UTC", "2026-02-18T06:59:59.999Z", "2026-02-18T07:00:00Z"},
		{"at its begin", "22:00", "07:00", "UTC", "2026-02-17T22:00:00Z", "2026-02-18T07:00:00Z"},
		{"at its end", "22:00", "07:00", "UTC", "2026-02-18T07:00:00Z", ""},
		{"before its begin", "22:00", "07:00", "UTC", "2026-02-17T21:59:59.999Z", ""},
		{"within a day", "13:00", "14:30", "UTC", "2026-02-17T13:10:00Z", "2026-02-17T14:30:00Z"},
		{"within a day, before", "13:00", "14:30", "UTC", "2026-02-17T12:59:00Z", ""},
		{"until midnight", "22:00", "00:00", "UTC", "2026-02-17T23:59:00Z", "2026-02-18T00:00:00Z"},
		{"from midnight", "00:00", "06:00", "UTC", "2026-02-17T00:00:00Z", "2026-02-17T06:00:00Z"},
		{"the same is none", "07:00", "07:00", "UTC", "2026-02-17T07:00:00Z", ""},
		{"another zone", "22:00", "07:00", "Asia/Kolkata", "2026-02-17T16:30:00Z", "2026-02-18T01:30:00Z"},
		{"over the year's end", "22:00", "07:00", "UTC", "2026-12-31T23:00:00Z", "2027-01-01T07:00:00Z"},
		// Europe/Berlin, 29 March 2026: 02:00 CET is 03:00 CEST, at 01:00 UTC.
		{"a short night", "22:00", "07:00", "Europe/Berlin", "2026-03-28T22:00:00Z", "2026-03-29T05:00:00Z"},
		{"ends in the skipped hour", "22:00", "02:30", "Europe/Berlin", "2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z"},
		{"ended in the skipped hour", "22:00", "02:30", "Europe/Berlin", "2026-03-29T01:00:00Z", ""},
		{"begins in the skipped hour", "02:30", "05:00", "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"},
		{"not yet begun there", "02:30", "05:00", "Europe/Berlin", "2026-03-29T00:59:00Z", ""},
		{"all of it is skipped", "02:10", "02:50", "Europe/Berlin", "2026-03-29T01:00:00Z", ""},
		// 25 October 2026: 03:00 CEST is 02:00 CET, at 01:00 UTC.
		{"a long night", "22:00", "07:00", "Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"},
		{"ends with the second of two", "22:00", "02:30", "Europe/Berlin", "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"},
		{"begins with the first of two", "02:30", "05:00", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-25T04:00:00Z"},
		{"from the first to the second", "02:10", "02:20", "Europe/Berlin", "2026-10-25T00:40:00Z", "2026-10-25T01:20:00Z"},
		{"two nights joined", "02:15", "02:10", "Europe/Berlin", "2026-10-25T00:05:00Z", "2026-10-26T01:10:00Z"},
		// Half an hour in Lord Howe, a whole day in Samoa.
		{"half an hour back", "22:00", "01:45", "Australia/Lord_Howe", "2026-04-04T14:50:00Z", "2026-04-04T15:15:00Z"},
		{"a day that never was", "22:00", "07:00", "Pacific/Apia", "2011-12-30T09:00:00Z", "2011-12-30T17:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := QuietHours{From: clock(t, c.from), To: clock(t, c.to), Zone: zone(t, c.zone)}
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if until := q.Until(at); !until.IsZero() {
				got = until.UTC().Format(time.RFC3339)
			}
			if got != c.until {
				t.Errorf("%s–%s in %s at %s: until %q, want %q", c.from, c.to, c.zone, c.at, got, c.until)
			}
		})
	}
}

// TestQuietUntilThroughAYear holds the rule against the clocks' own showing, in
// zones with odd changes: what is outside agrees with the clock, an end lies ahead
// and is outside, and by the clock it is To, or past it where To was skipped.
func TestQuietUntilThroughAYear(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca", "Asia/Gaza"} {
		for _, hours := range [][2]string{{"22:00", "07:00"}, {"23:30", "00:15"}, {"01:10", "02:20"}, {"02:30", "02:00"}} {
			q := QuietHours{From: clock(t, hours[0]), To: clock(t, hours[1]), Zone: zone(t, name)}
			for at := time.Date(2011, 2, 1, 0, 0, 0, 0, time.UTC); at.Year() < 2012; at = at.Add(19 * time.Minute) {
				until := q.Until(at)
				if until.IsZero() {
					if q.shows(at) {
						t.Fatalf("%s %v at %s: not quiet, but the clock is within", name, hours, at.In(q.Zone))
					}
					continue
				}
				if !until.After(at) || !q.Until(until).IsZero() || q.shows(until) {
					t.Fatalf("%s %v at %s: until %s, which isn't the end", name, hours, at.In(q.Zone), until)
				}
				if until.Sub(at) > 49*time.Hour {
					t.Fatalf("%s %v at %s: until %s", name, hours, at.In(q.Zone), until)
				}
			}
		}
	}
}

// shows tells whether the clock shows a time within the quiet hours.
func (q QuietHours) shows(t time.Time) bool {
	local := t.In(q.Zone)
	now := ClockTime(local.Hour()*60 + local.Minute())
	if q.From < q.To {
		return now >= q.From && now < q.To
	}
	return now >= q.From || now < q.To
}

func TestQuietHoursZeroValue(t *testing.T) {
	if until := (QuietHours{}).Until(noon); !until.IsZero() {
		t.Errorf("until %v", until)
	}
	if until := (QuietHours{From: 0, To: 24*60 - 1}).Until(noon); !until.Equal(time.Date(2026, 2, 17, 23, 59, 0, 0, time.UTC)) {
		t.Errorf("no zone is UTC: until %v", until)
	}
}

func TestParseClockTime(t *testing.T) {
	for _, s := range []string{"", "7:00", "24:00", "23:60", "22.00", "22:00:00", "-1:00", "22:0", "+2:00", " 2:00", "2200"} {
		if c, err := ParseClockTime(s); err == nil {
			t.Errorf("%q is taken for %s", s, c)
		}
	}
	for _, s := range []string{"00:00", "07:05", "23:59"} {
		if got := clock(t, s).String(); got != s {
			t.Errorf("%s comes back as %s", s, got)
		}
	}
}
