package topics_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/todoctl/todoctl/internal/topics"
)

func TestParse(t *testing.T) {
	want := []topics.Spec{
		{Name: "orders", Partitions: 6, ReplicationFactor: 3, Configs: map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": "604800000", "retention.bytes": "1000000000",
			"segment.bytes": "536870912", "min.cleanable.dirty.ratio": "0.5", "preallocate": "true", "segment.ms": "5400000",
		}},
		{Name: "plain", Partitions: 1, ReplicationFactor: 1},
	}
	for name, text := range map[string]string{
		"words": `
kind: topics.spec
version: 1
topics:
  - name: orders
    partitions: 6
    replication_factor: 3
    configs:
      cleanup.policy: compact,delete
      retention.ms: 7d
      retention.bytes: 1 GB
      segment.bytes: 512MiB
      segment.ms: 90 minutes
      min.cleanable.dirty.ratio: 0.5
      preallocate: TRUE
  - {name: plain, partitions: 0x1, replication_factor: 1, configs: }
`,
		"anchors": `
topics:
  - name: orders
    partitions: &six 6
    replication_factor: 3
    configs: &all {cleanup.policy: "compact,delete", retention.ms: 604_800_000, retention.bytes: "1000000000",
      segment.bytes: 536870912, segment.ms: 90m, min.cleanable.dirty.ratio: "0.5", preallocate: true}
  - {name: plain, partitions: 1, replication_factor: 1, configs: {}}
`,
		"JSON": "{\"topics\": [\n\t{\"name\": \"orders\", \"partitions\": 6, \"replication_factor\": 3, \"configs\": {\n" +
			"\t\t\"cleanup.policy\": \"compact,delete\", \"retention.ms\": 604800000, \"retention.bytes\": \"1000000000\",\n" +
			"\t\t\"segment.bytes\": 536870912, \"segment.ms\": \"5400000\", \"min.cleanable.dirty.ratio\": 0.5, \"preallocate\": true}},\n" +
			"\t{\"name\": \"plain\", \"partitions\": 1, \"replication_factor\": 1}\n]}\n",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := topics.Parse("topics.yaml", []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			equal(t, got, want)
		})
	}
}

func TestParseNamesEveryMistake(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"empty":     {"", "f.yaml: the file is empty; 'todoctl topics spec' prints one to start from"},
		"no YAML":   {"topics:\n  - name: a: b\n", "f.yaml:2: mapping values are not allowed in this context"},
		"bad list":  {"topics:\n  - name: a\n   partitions: 1\n", "f.yaml:2: did not find expected '-' indicator in what begins on this line"},
		"bad JSON":  {"{\"topics\": [\n  {\"name\": \"a\"\n   \"partitions\": 1}\n]}", "f.yaml:3: invalid character '\"' after object key:value pair"},
		"no topics": {"topisc: []\n", "f.yaml:1: the file has no \"topics\"\nf.yaml:1: unknown key \"topisc\"; did you mean \"topics\"?"},
		"a list":    {"- name: a\n", "f.yaml:1: the file must be keys and values, is a list"},
		"null":      {"~\n", "f.yaml:1: the file must be keys and values, is empty"},
		"another":   {"kind: Pod\nversion: 2\ntopics: {}\n", "f.yaml:1: kind is \"Pod\", must be \"topics.spec\"\nf.yaml:2: version is \"2\"; this todoctl reads version 1\nf.yaml:3: topics must be a list, is keys and values"},
		"two":       {"topics: []\n---\ntopics: []\n", "f.yaml:2: a second document begins; one file holds one"},
		"all at once": {`topics:
  - name: a b
    partitions: "3"
    replication_factor: 0
    partition: 3
    name: c
    configs:
      retention.ms: 7 parsecs
      retention.bytes: 1e9
      cleanup.policy: [compact]
      flush.ms: true
      segment.bytes: 99999999999999999999
  - {name: c, partitions: 1}
  - text
  - {name: x.y, partitions: 1, replication_factor: 1}
  - {name: x_y, partitions: 4294967296, replication_factor: 40000}
`, `f.yaml:3: partitions must be a whole number, is "3"
f.yaml:4: replication_factor must be from 1 to 32767, is 0
f.yaml:5: unknown key "partition"; did you mean "partitions"?
f.yaml:6: "name" is given twice, on line 2 already
f.yaml:8: retention.ms is "7 parsecs", must be a number of milliseconds, or a duration such as 7d, 90 minutes or forever
f.yaml:9: retention.bytes is "1e9", must be a number of bytes, or a size such as 512MiB, 1 GB or unlimited
f.yaml:10: cleanup.policy must be a text, a number, true or false, is a list
f.yaml:11: flush.ms is "true", must be a number of milliseconds, or a duration such as 7d, 90 minutes or forever
f.yaml:12: segment.bytes is "99999999999999999999", must be a number of bytes, or a size such as 512MiB, 1 GB or unlimited
f.yaml:13: a topic has no "replication_factor"
f.yaml:13: topic "c" stands on line 2 already ('.' and '_' are the same to Kafka)
f.yaml:14: a topic must be keys and values, is "text"
f.yaml:16: partitions must be from 1 to 2147483647, is 4294967296
f.yaml:16: replication_factor must be from 1 to 32767, is 40000
f.yaml:16: topic "x_y" stands on line 15 already ('.' and '_' are the same to Kafka)`},
	} {
		t.Run(name, func(t *testing.T) {
			specs, err := topics.Parse("f.yaml", []byte(c.text))
			if err == nil {
				t.Fatalf("no error, got %v", specs)
			}
			equal(t, err.Error(), c.want)
		})
	}
}

func TestFormat(t *testing.T) {
	text, err := topics.Format(topics.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"  - name: task-events\n", "    partitions: 3\n", "      retention.ms: 7 days\n", "      retention.ms: 30 days\n"} {
		if !strings.Contains(string(text), line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	back, err := topics.Parse("-", text)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, back, topics.Builtin())
}

// The schema names the fields that Parse takes, and no others.
func TestSchema(t *testing.T) {
	type object struct {
		Required             []string                   `json:"required"`
		AdditionalProperties any                        `json:"additionalProperties"`
		Properties           map[string]json.RawMessage `json:"properties"`
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(topics.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		object object
		text   string // takes every property
	}{
		{schema.object, `{"PROPERTY": 1}`},
		{schema.Defs["topic"], `{"topics": [{"PROPERTY": 1}]}`},
	} {
		equal(t, c.object.AdditionalProperties, any(false))
		for _, property := range slices.Sorted(maps.Keys(c.object.Properties)) {
			_, err := topics.Parse("f", []byte(strings.Replace(c.text, "PROPERTY", property, 1)))
			if err != nil && strings.Contains(err.Error(), "unknown key") {
				t.Error(err)
			}
		}
		_, err := topics.Parse("f", []byte(strings.Replace(c.text, `"PROPERTY": 1`, ``, 1)))
		for _, property := range c.object.Required {
			if err == nil || !strings.Contains(err.Error(), `has no "`+property+`"`) {
				t.Errorf("%s is required by the schema: %v", property, err)
			}
		}
		_, err = topics.Parse("f", []byte(strings.Replace(c.text, "PROPERTY", "somethingelse", 1)))
		if want := slices.Sorted(maps.Keys(c.object.Properties)); err == nil || !containsAll(err.Error(), want) {
			t.Errorf("not all of %q are known: %v", want, err)
		}
	}
}

func containsAll(text string, words []string) bool {
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// Whatever the file says, it is refused with the line or read, and what was read
// is written so that it is read back the same.
func FuzzParse(f *testing.F) {
	builtin, err := topics.Format(topics.Builtin())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(builtin)
	for _, seed := range []string{
		"", "topics: []", "{\"topics\": [{\"name\": \"a\", \"partitions\": 1, \"replication_factor\": 1}]}",
		"topics: &a [*a]", "topics: [{<<: {name: a}}]", "a: &a [*a, *a]\ntopics: *a", "? [x]\n: 1",
		"topics:\n- {name: a, partitions: 1, replication_factor: 1, configs: {retention.ms: forever, x.bytes: 1TiB, y: ~, z: '', q: '010', r: 0o7, s: .inf, t: 2001-01-01}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		specs, err := topics.Parse("f", data)
		if err != nil {
			if specs != nil || !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("%v, %v", specs, err)
			}
			return
		}
		text, err := topics.Format(specs)
		if err != nil {
			t.Fatal(err)
		}
		back, err := topics.Parse("f", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if diff := cmp.Diff(specs, back); diff != "" {
			t.Fatalf("(-read +read back)\n%s\n%s", diff, text)
		}
	})
}
