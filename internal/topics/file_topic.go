package topics

import (
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (f *file) topic(n *yaml.Node) Spec {
	must := []string{"name", "partitions", "replication_factor"}
	fields := f.fields(n, "a topic", append(must, "configs"), must...)
	s := Spec{
		Name:              f.topicName(fields["name"]),
		Partitions:        int32(f.count(fields["partitions"], "partitions", math.MaxInt32)),
		ReplicationFactor: int16(f.count(fields["replication_factor"], "replication_factor", math.MaxInt16)),
	}
	if configs := fields["configs"]; configs != nil {
		s.Configs = f.configs(configs)
	}
	return s
}

// topicName holds Kafka's own rule for names.
func (f *file) topicName(n *yaml.Node) string {
	legal := regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	switch {
	case n == nil:
		return ""
	case n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null":
		f.wrong(n, "name must be a text, is %s", kindOf(n))
	case !legal.MatchString(n.Value) || n.Value == "." || n.Value == "..":
		f.wrong(n, "topic name %q: must be 1 to 249 of the characters a-z A-Z 0-9 . _ -", n.Value)
	}
	return n.Value
}

func (f *file) count(n *yaml.Node, field string, most int) int {
	var count int
	switch {
	case n == nil:
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" || n.Decode(&count) != nil:
		f.wrong(n, "%s must be a whole number, is %s", field, kindOf(n))
	case count < 1 || count > most:
		f.wrong(n, "%s must be from 1 to %d, is %d", field, most, count)
	}
	return count
}

func (f *file) configs(n *yaml.Node) map[string]string {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return nil
	}
	fields := f.fields(n, "configs", nil)
	if len(fields) == 0 {
		return nil
	}
	configs := make(map[string]string, len(fields))
	for key, value := range fields {
		configs[key] = f.config(key, value)
	}
	return configs
}

// config is the value of a setting as Kafka takes it: a text.
func (f *file) config(key string, n *yaml.Node) string {
	if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		f.wrong(n, "%s must be a text, a number, true or false, is %s", key, kindOf(n))
		return ""
	}
	switch tag := n.ShortTag(); {
	case tag == "!!int":
		var number int64
		if err := n.Decode(&number); err != nil {
			f.wrong(n, "%s is %s, which is too large", key, n.Value)
		}
		return strconv.FormatInt(number, 10)
	case strings.HasSuffix(key, ".ms"):
		return f.amount(key, n, durations(), "forever", "milliseconds, or a duration such as 7d, 90 minutes or forever")
	case strings.HasSuffix(key, ".bytes"):
		return f.amount(key, n, sizes(), "unlimited", "bytes, or a size such as 512MiB, 1 GB or unlimited")
	case tag == "!!bool":
		return strings.ToLower(n.Value)
	}
	return n.Value
}

func (f *file) amount(key string, n *yaml.Node, units []unit, endless, wanted string) string {
	if n.Value == endless {
		return "-1"
	}
	amount, ok := quantity(n.Value, units)
	if !ok {
		f.wrong(n, "%s is %q, must be a number of %s", key, n.Value, wanted)
	}
	return strconv.FormatInt(amount, 10)
}
