package topics

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Retention is the value of retention.ms in words: "7 days", "90 minutes",
// "forever" for -1. What isn't a number stays as it is.
func Retention(ms string) string {
	n, err := strconv.ParseInt(ms, 10, 64)
	switch {
	case err != nil:
		return ms
	case n < 0:
		return "forever"
	case n > 0 && n%1000 != 0:
		return counted(int(n), "millisecond")
	}
	seconds := n / 1000
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if of := int64(unit.of / time.Second); seconds >= of && seconds%of == 0 {
			return counted(int(seconds/of), unit.name)
		}
	}
	return counted(int(seconds), "second")
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// show is the value of a setting for people.
func show(key, value string) string {
	switch {
	case value == "":
		return "(none)"
	case strings.HasSuffix(key, "retention.ms"):
		return value + " (" + Retention(value) + ")"
	}
	return value
}
