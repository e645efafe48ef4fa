package topics

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Retention is a value of retention.ms in words: "7 days", "90 minutes", "forever"
// for -1. What isn't a number of milliseconds stays as it is. A file of topics takes
// the words back.
func Retention(ms string) string {
	if ms == "-1" {
		return "forever"
	}
	n, err := strconv.ParseInt(ms, 10, 64)
	if err != nil || n < 0 || n == math.MaxInt64 {
		return ms
	}
	if n == 0 {
		return "0 seconds"
	}
	for _, u := range durations() {
		if word := u.words[len(u.words)-2]; n%u.of == 0 && word != "week" {
			return counted(n/u.of, word)
		}
	}
	return ms
}

// size is a value of a setting in bytes in words: "1 GB", "512 MiB", "unlimited" for
// -1. What has no round size stays as it is.
func size(bytes string) string {
	if bytes == "-1" {
		return "unlimited"
	}
	n, err := strconv.ParseInt(bytes, 10, 64)
	if err != nil || n <= 0 {
		return bytes
	}
	for _, u := range sizes() {
		if u.of > 1 && n%u.of == 0 {
			return fmt.Sprintf("%d %s", n/u.of, u.words[0])
		}
	}
	return bytes
}

// keeps is how long a topic keeps its records, in words.
func keeps(policy, ms, bytes string) string {
	var words []string
	if strings.Contains(policy, "compact") {
		words = append(words, "keeps the last value of each key")
		if !strings.Contains(policy, "delete") {
			return words[0]
		}
	}
	limited := bytes != "" && bytes != "-1"
	if !limited || ms != "-1" {
		words = append(words, Retention(ms))
	}
	if limited {
		limit := size(bytes)
		if limit == bytes {
			limit += " bytes"
		}
		words = append(words, limit+" a partition")
	}
	return strings.Join(words, ", ")
}

// Shown is the value for people.
func (c Config) Shown() string {
	if c.Sensitive {
		return "***"
	}
	if c.Value == "" {
		return ""
	}
	return show(c.Key, c.Value)
}

func counted[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// inWords is the value of a setting as a file of topics may have it.
func inWords(key, value string) string {
	switch {
	case strings.HasSuffix(key, ".ms"):
		return Retention(value)
	case strings.HasSuffix(key, ".bytes"):
		return size(value)
	}
	return value
}

// show is the value of a setting for people.
func show(key, value string) string {
	if value == "" {
		return "(none)"
	}
	if words := inWords(key, value); words != value {
		return value + " (" + words + ")"
	}
	return value
}
