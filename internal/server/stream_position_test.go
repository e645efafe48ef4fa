package server

import (
	"strings"
	"testing"
)

func TestPositionRoundTrip(t *testing.T) {
	for _, text := range []string{"a-0", "6f0c2e1a-17.4.9", "00000000-9223372036854775806"} {
		p, err := parsePosition(text)
		if err != nil || p.String() != text {
			t.Errorf("%s: got %s, %v", text, p, err)
		}
	}
}

func TestPositionRefuses(t *testing.T) {
	for _, text := range []string{
		"", "-", "a", "a-", "-1", "17.4.9", "a-1.", "a-.1", "a-1..2", "a--1", "a-+1", "a-1_0", "a-1 ", "A-1", "a-1,2", "a-x",
		"a-9223372036854775807", "a-99999999999999999999", "a-1\n", strings.Repeat("a", maxPosition) + "-1",
		"a-0" + strings.Repeat(".0", maxPartition),
	} {
		if p, err := parsePosition(text); err == nil {
			t.Errorf("%.40q is %+v", text, p)
		}
	}
}

func FuzzPosition(f *testing.F) {
	f.Add("6f0c2e1a-17.4.9")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePosition(text)
		if err != nil {
			return
		}
		again, err := parsePosition(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q became %s, then %s, %v", text, p, again, err)
		}
	})
}

func TestPositionOfAddedPartitions(t *testing.T) {
	before := Position{Log: "a", Offsets: []int64{3}}
	after := Position{Log: "a", Offsets: []int64{4, 2}}
	if before.reaches(after) || !after.reaches(before) || before.behind(after) != 3 {
		t.Errorf("%s and %s", before, after)
	}
	before.passAll(after)
	before.pass(0, 1)
	equal(t, before, after)
}

func TestUpdateOfARecord(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"whole": {`{"event_type":"task.sync","timestamp":"now","user_id":"u1","data":{"task_id":1,"action":"completed","fields_changed":["completed"],"snapshot":{"id":1,"title":"a <b>\n"}}}`,
			`{"id":1,"action":"completed","fields_changed":["completed"],"task":{"id":1,"title":"a <b>\n"}}`},
		"sorted and over several lines": {"{\"data\":{\n\"snapshot\":{\r\n\"id\":1\n},\"action\":\"deleted\",\"task_id\":1},\n\"user_id\":\"u1\"}",
			`{"id":1,"action":"deleted","fields_changed":[],"task":{"id":1}}`},
		"nothing":     {``, ""},
		"no JSON":     {`{`, ""},
		"a number":    {`7`, ""},
		"no user":     {`{"data":{"task_id":1,"action":"updated","snapshot":{}}}`, ""},
		"no task":     {`{"user_id":"u1","data":{"action":"updated","snapshot":{}}}`, ""},
		"no action":   {`{"user_id":"u1","data":{"task_id":1,"snapshot":{}}}`, ""},
		"no snapshot": {`{"user_id":"u1","data":{"task_id":1,"action":"updated","snapshot":null}}`, ""},
	} {
		u := Record{Data: []byte(c.data)}.update()
		switch {
		case u == nil && c.want == "":
		case u == nil || c.want == "":
			t.Errorf("%s: got %+v", name, u)
		default:
			equal(t, string(u.text), "event: task.sync\ndata: "+c.want+"\n\n")
			equal(t, u.user, "u1")
		}
	}
}
