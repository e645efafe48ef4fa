package server

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/todoctl/todoctl/internal/task"
)

// The longest texts that a list takes, in characters. No store makes a cursor as
// long as that.
const (
	maxSearch = 200
	maxCursor = 4096
)

// parameters are the query parameters of a list.
func parameters() []string {
	return []string{"status", "status_param", "priority", "tags", "search", "due_before", "due_after", "overdue", "sort", "limit", "cursor", "envelope"}
}

// A listing is what a request for a list asks for.
type listing struct {
	query    task.Query
	envelope bool
	values   url.Values
}

// nextPage is the query string of the page after this one.
func (l listing) nextPage(cursor string) string {
	l.values.Set("cursor", cursor)
	return l.values.Encode()
}

// parseListing reads a query string. A parameter with an empty value is as good
// as absent, since forms send those; the error is a *task.InvalidError that
// names everything wrong.
func parseListing(raw string) (listing, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return listing{}, task.Invalid("query", "is malformed: "+quote(err.Error()))
	}
	p := &params{values: values}
	p.known()
	q := task.Query{
		Status:    p.status(),
		Priority:  task.Priority(p.choice("priority", names(task.Priorities()))),
		Tags:      p.tags(),
		Search:    p.text("search", maxSearch),
		DueBefore: p.time("due_before"),
		DueAfter:  p.time("due_after"),
		Overdue:   p.flag("overdue"),
		Limit:     p.limit(),
		Cursor:    p.text("cursor", maxCursor),
	}
	q.Sort, q.Desc = p.sort()
	l := listing{query: q, envelope: p.flag("envelope"), values: values}
	if p.problems != nil {
		return listing{}, &task.InvalidError{Problems: p.problems}
	}
	return l, nil
}

// params reads the values of a query string and collects what is wrong.
type params struct {
	values   url.Values
	problems []task.Problem
}

func (p *params) add(field, format string, args ...any) {
	p.problems = append(p.problems, task.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
}

// known refuses parameters that aren't of a list, and names a few of them.
func (p *params) known() {
	const most = 5
	for _, name := range slices.Sorted(maps.Keys(p.values)) {
		if !slices.Contains(parameters(), name) && len(p.problems) < most {
			p.add("query", "unknown parameter %s, did you mean %s?", quote(name), nearest(name, parameters()))
		}
	}
}

// one returns the only value of a parameter, "" when it isn't given.
func (p *params) one(name string) string {
	values := p.values[name]
	if len(values) > 1 {
		p.add(name, "must be given once, not %d times", len(values))
	}
	if len(values) != 1 {
		return ""
	}
	return values[0]
}

func (p *params) choice(name string, allowed []string) string {
	value := p.one(name)
	if value != "" && !slices.Contains(allowed, value) {
		p.add(name, "must be one of %s, not %s", strings.Join(allowed, ", "), quote(value))
	}
	return value
}

func (p *params) status() string {
	allowed := []string{"all", "pending", "completed"}
	status, alias := p.choice("status", allowed), p.choice("status_param", allowed)
	switch {
	case status == "":
		return alias
	case alias != "" && alias != status:
		p.add("status_param", "is another name of status and must not differ from it")
	}
	return status
}

func (p *params) text(name string, most int) string {
	value := p.one(name)
	p.checkText(name, value, most)
	return value
}

// checkText keeps away what no stored text can hold.
func (p *params) checkText(name, value string, most int) {
	switch n := utf8.RuneCountInString(value); {
	case n > most:
		p.add(name, "must have at most %d characters, has %d", most, n)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		p.add(name, "must be valid UTF-8 without the NUL character")
	}
}

func (p *params) tags() []string {
	var tags []string
	for _, list := range p.values["tags"] {
		for tag := range strings.SplitSeq(list, ",") {
			tag = strings.TrimSpace(tag)
			if tag == "" || slices.Contains(tags, tag) {
				continue
			}
			if len(tags) == task.MaxTags {
				p.add("tags", "must be at most %d: no task has more", task.MaxTags)
				return tags
			}
			p.checkText("tags", tag, task.MaxTag)
			tags = append(tags, tag)
		}
	}
	return tags
}

// time reads a time; a + that was not escaped, and so came as a space, is
// understood.
func (p *params) time(name string) *time.Time {
	value := p.one(name)
	if value == "" {
		return nil
	}
	t, err := task.ParseTime(strings.ReplaceAll(strings.TrimSpace(value), " ", "+"))
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		p.add(name, "must be a time in RFC 3339 such as 2026-02-17T12:00:00Z, or a date, not %s", quote(value))
		return nil
	}
	return &t
}

func (p *params) flag(name string) bool {
	if len(p.values[name]) == 0 {
		return false
	}
	value := p.one(name)
	on, err := strconv.ParseBool(value)
	if err != nil && len(p.values[name]) == 1 {
		p.add(name, "must be true or false, not %s", quote(value))
	}
	return on
}

func (p *params) limit() int {
	value := p.one("limit")
	if value == "" {
		return 0
	}
	n, err := wholeNumber(value)
	if err != nil || n < 1 || n > task.MaxPage {
		p.add("limit", "must be a whole number from 1 to %d, not %s", task.MaxPage, quote(value))
	}
	return int(n)
}

func (p *params) sort() (field string, desc bool) {
	value := p.one("sort")
	if value == "" {
		return "", false
	}
	field, dir, directed := strings.Cut(value, ":")
	if !slices.Contains(task.SortFields(), field) || directed && dir != "asc" && dir != "desc" {
		p.add("sort", "must be one of %s, alone or followed by :asc or :desc, not %s", strings.Join(task.SortFields(), ", "), quote(value))
	}
	return field, dir == "desc"
}

func names[S ~string](values []S) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
