package checker

import (
	"encoding/json"
	"slices"
	"strconv"
)

// A letter is a dead letter as it says of itself.
type letter struct {
	at     Origin
	reason string // "" where it says none: Dapr's own copy
	id     string // of the event
}

// readLetter reads where a dead letter came from and why, from the attributes of the
// event, else from the headers of Dapr.
func readLetter(m Message) (of letter, from Origin) {
	of.at = m.Place
	said := m.Header
	topic, partition, offset := said["__topic"], said["__partition"], said["__offset"]
	var event map[string]any
	if json.Unmarshal(m.Value, &event) == nil {
		text := func(name string) string { s, _ := event[name].(string); return s }
		of.reason, of.id = text("dlqreason"), text("id")
		if of.reason != "" {
			topic, partition, offset = text("dlqtopic"), text("dlqpartition"), text("dlqoffset")
		}
	}
	from = Origin{Topic: topic, Partition: -1, Offset: -1}
	if n, err := strconv.Atoi(partition); err == nil {
		from.Partition = n
	}
	if n, err := strconv.ParseInt(offset, 10, 64); err == nil {
		from.Offset = n
	}
	return of, from
}

// deadLetters goes through the dead letter topics: each letter says where it came from,
// and one comes again only if it was in flight.
func (c *workerCheck) deadLetters() {
	places := map[Origin]bool{}
	for _, m := range c.e.Messages {
		places[m.Place] = true
	}
	for _, m := range c.e.Letters {
		l, from := readLetter(m)
		c.Letters++
		if !places[from] || from.Topic+suffix != m.Place.Topic {
			c.violated(Letters, "dead letter %v: says that it came from %v, where nothing is", m.Place, from)
			continue
		}
		c.letters[from] = append(c.letters[from], l)
	}
	for from, letters := range c.letters {
		switch {
		case len(letters) == 1:
		case letters[0].reason == "":
			c.Copied += len(letters) - 1
		default:
			c.Again += len(letters) - 1
			c.lettersAgain(from, letters)
		}
	}
}

// lettersAgain judges a dead letter that came again: those before the last were in flight
// when something died, so one of them was noted, and with the same id.
func (c *workerCheck) lettersAgain(from Origin, letters []letter) {
	noted := 0
	stopped := false
	for _, r := range c.e.Runs {
		if !slices.Contains(r.Buried, from) {
			continue
		}
		noted++
		stopped = stopped || slices.ContainsFunc(r.Cuts, func(cut Cut) bool { return !cut.Killed })
	}
	if noted != 1 && !stopped {
		c.violated(Letters, "record %v has %d dead letters, and %d workers noted one", from, len(letters), noted)
	}
	for _, l := range letters {
		if l.id != letters[0].id || l.reason != letters[0].reason {
			c.violated(Letters, "record %v has dead letters that differ: %v and %v", from, letters[0].at, l.at)
		}
	}
}

// messages holds every record against its fate.
func (c *workerCheck) messages() {
	seen := map[string]bool{}
	for _, m := range c.read {
		if m.redriven {
			c.Redriven++
		}
		if m.poison == "" {
			c.good(m)
			continue
		}
		c.Poison++
		seen[m.poison] = true
		c.bad(m)
	}
	c.unread(seen)
}

// good checks a record that a dead letter is there of: its attempts failed.
func (c *workerCheck) good(m message) {
	for _, l := range c.letters[m.Place] {
		if l.reason != "attempts" {
			c.violated(Letters, "record %v is well, and dead letter %v says %q", m.Place, l.at, l.reason)
		}
	}
}

// bad checks one record of poison.
func (c *workerCheck) bad(m message) {
	letters, told := c.letters[m.Place], len(c.lines[m.id])
	_, posted := c.posts[m.id]
	fate := c.e.Poison[m.poison]
	switch {
	case fate == Told:
		if told == 0 || !posted {
			c.violated(Untold, "record %v, %s: told by %d lines, by webhook %t", m.Place, m.Key, told, posted)
		}
		c.good(m)
		return
	case told > 0 || posted:
		c.violated(Made, "record %v, %s: is poison, and people were told", m.Place, m.Key)
	case fate == Ignored && len(letters) > 0:
		c.violated(Letters, "record %v, %s: is to be passed over, and is a dead letter", m.Place, m.Key)
	case fate != Ignored && len(letters) == 0:
		c.violated(Letters, "record %v, %s: no dead letter", m.Place, m.Key)
	}
	want := string(fate)
	if fate == Copied {
		want = ""
	}
	for _, l := range letters {
		if l.reason != want {
			c.violated(Letters, "record %v, %s: the reason is %q, not %q", m.Place, m.Key, l.reason, want)
		}
	}
}

// samples checks I8 at every moment that was looked at: what lies below the committed
// offset had its effect, or its dead letter, before, or was owed.
func (c *workerCheck) samples() {
	made := map[int64]NextTask{}
	for _, n := range c.e.Next {
		made[n.Previous] = n
	}
	for _, s := range c.e.Samples {
		for _, m := range c.read {
			if m.Place.Offset >= s.Committed[m.Place.Topic][m.Place.Partition] {
				continue
			}
			c.Checked++
			if !c.wasDone(s, m, made) {
				c.violated(Commit, "record %v, %s: below the committed offset at %s, and without effect or dead letter then", m.Place, m.Key, s.At.Format("15:04:05.000"))
			}
		}
	}
}

func (c *workerCheck) wasDone(s Sample, m message, made map[int64]NextTask) bool {
	for _, l := range c.letters[m.Place] {
		if l.at.Offset < s.Letters[l.at.Topic][l.at.Partition] {
			return true
		}
	}
	switch {
	case m.poison != "" && c.e.Poison[m.poison] != Told:
		return c.e.Poison[m.poison] == Ignored
	case m.recurs:
		next, ok := made[m.task]
		return ok && !next.Made.After(s.At)
	case m.kind == "reminder.due":
		return c.wasTold(s, m.id)
	default:
		return true // calls for nothing
	}
}

// wasTold tells whether each channel had what was due, or it was written down that it is
// owed.
func (c *workerCheck) wasTold(s Sample, id string) bool {
	post, posted := c.posts[id]
	if (!posted || post >= s.Posts) && !s.Owed["hook/"+id] {
		return false
	}
	if s.Owed["log/"+id] {
		return true
	}
	for _, at := range c.lines[id] {
		if at.line < s.Lines[c.e.Runs[at.run].Name] {
			return true
		}
	}
	return false
}
