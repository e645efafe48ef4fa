package groups_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/todoctl/todoctl/internal/groups"
)

const described = `{
  "kind": "groups.describe", "version": 1,
  "groups": [
    {"group": "a", "partitions": [
      {"topic": "t", "partition": 0, "current_offset": 5},
      {"topic": "t", "partition": 1, "current_offset": null},
      {"topic": "old", "partition": 0, "current_offset": 7, "gone": true}]},
    {"group": "b", "partitions": [{"topic": "t", "partition": 0, "current_offset": 9}]}
  ]
}`

func TestParseSaved(t *testing.T) {
	for in, want := range map[string][]groups.Saved{
		"t 0 5\n\n# later\nt\t1  7\r\n": {{"t", 0, 5, "line 1"}, {"t", 1, 7, "line 4"}},
		described:                       {{"t", 0, 5, "partitions[0] of group a"}},
		`{"kind":"groups.describe","groups":[{"group":"z","partitions":[{"topic":"t","partition":3,"current_offset":1}]}]}`: {{"t", 3, 1, "partitions[0] of group z"}},
	} {
		got, err := groups.ParseSaved([]byte(in), "a")
		if err != nil {
			t.Errorf("%s: %v", in, err)
		}
		equal(t, got, want)
	}
	for in, want := range map[string]string{
		"":                                       "there are no offsets in it",
		"t 0 5\nt 0":                             "line 2: has 2 words; wanted are TOPIC PARTITION OFFSET",
		"t x 5":                                  `line 1: "x" is no partition`,
		"t 3000000000 5":                         `line 1: "3000000000" is no partition`,
		"t 0 5\n\nt 0 -":                         `line 3: "-" is no offset`,
		"t 0 -5":                                 `line 1: "t" 0 -5 is no topic with a partition and an offset of 0 or more`,
		"t 0 5\nu 0 5\nt 0 6":                    "line 3: t[0] has an offset at line 1 already",
		`{"kind":"topics"}`:                      `its kind is "topics"; wanted is what 'todoctl groups describe --output json' prints`,
		"{\n\"kind\":\n  }":                      "line 3: invalid character '}' looking for beginning of value",
		"{\"groups\":\n[{\"group\":1}]}":         "line 2: json: cannot unmarshal number into Go struct field .groups.group of type string",
		`{"kind":"groups.describe","groups":[]}`: `it has offsets of no group`,
		strings.ReplaceAll(described, `"group": "a"`, `"group": "c"`):                                                  `it has offsets of the groups c, b, not of "a"`,
		strings.ReplaceAll(described, `"partition": 0`, `"partition": -1`):                                             `partitions[0] of group a: "t" -1 5 is no topic with a partition and an offset of 0 or more`,
		strings.ReplaceAll(described, `"partition": 1, "current_offset": null`, `"partition": 0, "current_offset": 6`): "partitions[1] of group a: t[0] has an offset at partitions[0] of group a already",
	} {
		got, err := groups.ParseSaved([]byte(in), "a")
		if err == nil || err.Error() != want {
			t.Errorf("%s\ngot %v, %v\nwant %s", in, got, err, want)
		}
	}
}

func FuzzParseSaved(f *testing.F) {
	for _, s := range []string{"t 0 5\nt 1 7", "# x\n\nt 0 5", described, "{", "t 0 0x5", "t\u00a00 5"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := groups.ParseSaved(text, "a")
		if (err == nil) != (len(list) > 0) {
			t.Fatalf("%d offsets, error %v", len(list), err)
		}
		seen := make(map[string]bool)
		for _, s := range list {
			place := fmt.Sprintf("%s %d", s.Topic, s.Partition)
			if s.Topic == "" || s.Partition < 0 || s.Offset < 0 || s.Where == "" || seen[place] {
				t.Errorf("%+v", s)
			}
			seen[place] = true
		}
	})
}
