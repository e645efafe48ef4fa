package groups

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A Saved is an offset that was written down.
type Saved struct {
	Topic     string
	Partition int32
	Offset    int64
	Where     string // in the file, such as "line 3"
}

// ParseSaved reads offsets from what `todoctl groups describe --output json` prints or
// from lines of TOPIC PARTITION OFFSET as rpk takes them; empty lines and those that
// begin with # don't count. Of a description with several groups it reads the named
// one, of one with a single group that one, whatever its name; partitions without a
// committed offset, and those that were gone, are left out. The errors tell the line.
func ParseSaved(text []byte, group string) ([]Saved, error) {
	var list []Saved
	var err error
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		list, err = parseDescription(text, group)
	} else {
		list, err = parseLines(string(text))
	}
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("there are no offsets in it")
	}
	seen := make(map[string]string, len(list))
	for _, s := range list {
		switch place := fmt.Sprintf("%s[%d]", s.Topic, s.Partition); {
		case s.Topic == "" || s.Partition < 0 || s.Offset < 0:
			return nil, fmt.Errorf("%s: %q %d %d is no topic with a partition and an offset of 0 or more", s.Where, s.Topic, s.Partition, s.Offset)
		case seen[place] != "":
			return nil, fmt.Errorf("%s: %s has an offset at %s already", s.Where, place, seen[place])
		default:
			seen[place] = s.Where
		}
	}
	return list, nil
}

func parseLines(text string) ([]Saved, error) {
	var list []Saved
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0][0] == '#' {
			continue
		}
		where := fmt.Sprintf("line %d", i+1)
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: has %d words; wanted are TOPIC PARTITION OFFSET", where, len(fields))
		}
		partition, err := strconv.ParseInt(fields[1], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no partition", where, fields[1])
		}
		offset, err := strconv.ParseInt(fields[2], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is no offset", where, fields[2])
		}
		list = append(list, Saved{Topic: fields[0], Partition: int32(partition), Offset: offset, Where: where})
	}
	return list, nil
}

// describedOffsets is what ParseSaved needs of a description.
type describedOffsets struct {
	Kind   string `json:"kind"`
	Groups []struct {
		Group      string      `json:"group"`
		Partitions []Partition `json:"partitions"`
	} `json:"groups"`
}

func parseDescription(text []byte, group string) ([]Saved, error) {
	var d describedOffsets
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, jsonError(text, err)
	}
	if d.Kind != "groups.describe" {
		return nil, fmt.Errorf("its kind is %q; wanted is what 'todoctl groups describe --output json' prints", d.Kind)
	}
	if len(d.Groups) == 0 {
		return nil, errors.New("it has offsets of no group")
	}
	var names []string
	var list []Saved
	found := false
	for _, g := range d.Groups {
		names = append(names, g.Group)
		if g.Group != group && len(d.Groups) > 1 {
			continue
		}
		found = true
		for i, p := range g.Partitions {
			if p.Current == nil || p.Gone {
				continue
			}
			list = append(list, Saved{Topic: p.Topic, Partition: p.Partition, Offset: *p.Current, Where: fmt.Sprintf("partitions[%d] of group %s", i, g.Group)})
		}
	}
	if !found {
		return nil, fmt.Errorf("it has offsets of the groups %s, not of %q", strings.Join(names, ", "), group)
	}
	return list, nil
}

func jsonError(text []byte, err error) error {
	at := int64(len(text))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(text[:min(at, int64(len(text)))], []byte("\n")), err)
}
