package server

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/todoctl/todoctl/internal/task"
)

// etag is the entity tag of a task: its sequence, quoted.
func etag(sequence int64) string {
	return `"` + strconv.FormatInt(sequence, 10) + `"`
}

// An entityTag is one element of If-Match or If-None-Match.
type entityTag struct {
	weak   bool
	opaque string
}

// never is a sequence that no task has: they count from 1.
const never = 0

// ifMatch reads If-Match (RFC 9110, 13.1.1) as the sequences that it lets pass:
// none when every one does. Comparison is strong, so a weak tag stands for never.
func ifMatch(h http.Header) ([]int64, error) {
	tags, wildcard, err := entityTags(h.Values("If-Match"))
	if err != nil {
		return nil, task.Invalid("If-Match", err.Error())
	}
	if wildcard {
		return nil, nil
	}
	var sequences []int64
	for _, tag := range tags {
		n, err := strconv.ParseInt(tag.opaque, 10, 64)
		if err != nil || tag.weak || strconv.FormatInt(n, 10) != tag.opaque {
			n = never
		}
		sequences = append(sequences, n)
	}
	return sequences, nil
}

// noneMatch reports whether If-None-Match (RFC 9110, 13.1.2) has the tag of a
// task, weak or not: then it needn't be sent. A malformed header is passed over.
func noneMatch(h http.Header, sequence int64) bool {
	tags, wildcard, err := entityTags(h.Values("If-None-Match"))
	if err != nil {
		return false
	}
	for _, tag := range tags {
		if `"`+tag.opaque+`"` == etag(sequence) {
			return true
		}
	}
	return wildcard
}

// entityTags reads the lines of a header that holds a list of entity tags or *.
func entityTags(lines []string) (tags []entityTag, wildcard bool, err error) {
	if len(lines) == 0 {
		return nil, false, nil
	}
	rest := strings.Join(lines, ",")
	if strings.TrimSpace(rest) == "*" {
		return nil, true, nil
	}
	for {
		rest = strings.TrimLeft(rest, ", \t") // RFC 9110, 5.6.1: empty elements are ignored
		if rest == "" {
			break
		}
		var tag entityTag
		if tag, rest, err = cutEntityTag(rest); err != nil {
			return nil, false, err
		}
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		return nil, false, errEntityTags
	}
	return tags, false, nil
}

var errEntityTags = errors.New(`must be * or a list of entity tags as ETag has them, such as "3"`)

func cutEntityTag(text string) (tag entityTag, rest string, err error) {
	text, tag.weak = strings.CutPrefix(text, "W/")
	text, quoted := strings.CutPrefix(text, `"`)
	opaque, rest, closed := strings.Cut(text, `"`)
	rest = strings.TrimLeft(rest, " \t")
	if !quoted || !closed || rest != "" && rest[0] != ',' {
		return entityTag{}, "", errEntityTags
	}
	tag.opaque = opaque
	return tag, rest, nil
}
