package topics

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// Format writes a file of topics that Parse reads back to the same specs: YAML, with
// durations and sizes in words.
func Format(specs []Spec) ([]byte, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range specs {
		topic := &yaml.Node{Kind: yaml.MappingNode}
		put(topic, "name", scalar(s.Name))
		put(topic, "partitions", scalar(strconv.Itoa(int(s.Partitions))))
		put(topic, "replication_factor", scalar(strconv.Itoa(int(s.ReplicationFactor))))
		if len(s.Configs) > 0 {
			configs := &yaml.Node{Kind: yaml.MappingNode}
			for _, key := range slices.Sorted(maps.Keys(s.Configs)) {
				put(configs, key, scalar(inWords(key, s.Configs[key])))
			}
			put(topic, "configs", configs)
		}
		list.Content = append(list.Content, topic)
	}
	doc := &yaml.Node{
		Kind:        yaml.MappingNode,
		HeadComment: "The topics as they should be: todoctl topics plan|setup|verify -f FILE\n'todoctl topics spec --schema' prints the JSON Schema of this file.",
	}
	put(doc, "topics", list)

	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func put(mapping *yaml.Node, key string, value *yaml.Node) {
	mapping.Content = append(mapping.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
}

// scalar is quoted only where YAML would not read back the same text.
func scalar(value string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if i, err := strconv.ParseInt(value, 10, 64); err == nil && strconv.FormatInt(i, 10) == value {
		n.Tag = "!!int"
	}
	if value == "true" || value == "false" {
		n.Tag = "!!bool"
	}
	return n
}
