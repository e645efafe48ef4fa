package topics

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/todoctl/todoctl/internal/kafka"
)

// types are the settings that the cluster's topics have, each with its type as
// DescribeConfigs names it. It is empty when no topic was read.
func (st State) types() map[string]string {
	types := make(map[string]string)
	for _, t := range st.Topics {
		for key, c := range t.Configs {
			types[key] = c.Type
		}
	}
	return types
}

// unacceptable says why the cluster doesn't take the value, as far as it can be told;
// "" is no objection.
func unacceptable(key, value string, types map[string]string) string {
	if len(types) == 0 {
		return ""
	}
	kind, ok := types[key]
	if !ok {
		why := fmt.Sprintf("the cluster's topics have no setting %q", key)
		if near := kafka.Nearest(key, slices.Sorted(maps.Keys(types))); near != "" {
			why += fmt.Sprintf("; did you mean %q?", near)
		}
		return why
	}
	if _, ok := canonical(kind, value); !ok {
		return fmt.Sprintf("%s takes %s, not %q", key, takes(kind), value)
	}
	return ""
}

func takes(kind string) string {
	switch kind {
	case "BOOLEAN":
		return "true or false"
	case "DOUBLE":
		return "a number"
	case "SHORT":
		return "a whole number of 16 bits"
	case "INT":
		return "a whole number of 32 bits"
	default:
		return "a whole number"
	}
}

// equal tells whether two values mean the same to the broker, which may tell a value
// in other words than it was set: TRUE as true, "compact, delete" as
// "compact,delete".
func equal(kind, a, b string) bool {
	if a == b {
		return true
	}
	ca, okA := canonical(kind, a)
	cb, okB := canonical(kind, b)
	return okA && okB && ca == cb
}

// canonical is the value as every equal one is written, and whether the type takes it
// (Kafka's ConfigDef.parseType). What has another type is taken as it is.
func canonical(kind, value string) (string, bool) {
	value = strings.TrimSpace(value)
	switch kind {
	case "BOOLEAN":
		value = strings.ToLower(value)
		return value, value == "true" || value == "false"
	case "SHORT":
		return whole(value, 16)
	case "INT":
		return whole(value, 32)
	case "LONG":
		return whole(value, 64)
	case "DOUBLE":
		n, err := strconv.ParseFloat(value, 64)
		return strconv.FormatFloat(n, 'g', -1, 64), err == nil
	case "LIST":
		items := strings.Split(value, ",")
		for i := range items {
			items[i] = strings.TrimSpace(items[i])
		}
		slices.Sort(items)
		return strings.Join(items, ","), true
	default:
		return value, true
	}
}

func whole(value string, bits int) (string, bool) {
	n, err := strconv.ParseInt(value, 10, bits)
	return strconv.FormatInt(n, 10), err == nil
}
