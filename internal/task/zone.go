package task

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the zones of machines that have none, such as slim containers
)

// UTC is the zone of a task that names none.
const UTC = "UTC"

// maxZone is longer than every name of the IANA database, in bytes.
const maxZone = 64

// loadZone finds a zone by its IANA name. "Local" is none: it would be another zone on
// every machine. Files beside the zones, such as posixrules, start with small letters.
func loadZone(name string) (*time.Location, error) {
	if name == UTC {
		return time.UTC, nil
	}
	wrong := fmt.Errorf("must be a time zone of the IANA database such as Europe/Berlin, not %q", brief(name))
	if name == "" || name == "Local" || len(name) > maxZone || name[0] < 'A' || name[0] > 'Z' {
		return nil, wrong
	}
	if strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") != "" {
		return nil, wrong
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, wrong
	}
	return zone, nil
}

// wallClock is what a clock in the zone shows, as a time in UTC.
func wallClock(t time.Time, zone *time.Location) time.Time {
	_, offset := t.In(zone).Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// fromWallClock is the moment at which a clock in the zone shows wall. A time that is
// shown twice is the first of the two, one that is skipped has the offset before the
// gap (RFC 5545, section 3.3.5).
func fromWallClock(wall time.Time, zone *time.Location) time.Time {
	const around = 26 * time.Hour // more than the largest offset
	var earlier time.Time
	for i, day := range []time.Duration{-around, around} {
		_, offset := wall.Add(day).In(zone).Zone()
		t := wall.Add(-time.Duration(offset) * time.Second)
		if wallClock(t, zone).Equal(wall) {
			return t
		}
		if i == 0 {
			earlier = t
		}
	}
	return earlier
}
