package stack

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// edit returns a resource file with the addresses of its components replaced, what those of
// pubsub.kafka say of TLS and login, and what only consumers need left out; the very same
// bytes when there is nothing to replace. An error begins with ":LINE: ", to stand behind a
// file's name.
func (o ResourceOptions) edit(content []byte) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	changed := false
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, yamlError(err)
		}
		kind := componentType(&document)
		if key, address := o.address(kind); address != "" {
			setMetadata(&document, key, "value", address)
			changed = true
		}
		if kind == "pubsub.kafka" {
			changed = o.editKafka(&document) || changed
		}
		if err := encoder.Encode(&document); err != nil {
			return nil, yamlError(err)
		}
	}
	if !changed {
		return content, nil
	}
	if err := encoder.Close(); err != nil {
		return nil, yamlError(err)
	}
	return out.Bytes(), nil
}

// editKafka replaces what a component of Kafka says beside its addresses, and tells whether
// it did.
func (o ResourceOptions) editKafka(document *yaml.Node) (changed bool) {
	if o.Security.On() {
		setSecurity(document, o.Security)
		changed = true
	}
	if o.PublishOnly {
		changed = publishOnly(document) || changed
	}
	return changed
}

// publishRead is how long a broker may hold up a call that publishes.
const publishRead = 10 * time.Second

// publishOnly takes away what only consumers need.
func publishOnly(document *yaml.Node) (changed bool) {
	// Dapr reads a duration, or a number of seconds.
	text := metadataValue(document, "readTimeout")
	wait, err := time.ParseDuration(text)
	if err != nil {
		wait, err = time.ParseDuration(text + "s")
	}
	if err == nil && wait > publishRead {
		setMetadata(document, "readTimeout", "value", publishRead.String())
		changed = true
	}
	if metadataValue(document, "compression") == "gzip" {
		dropMetadata(document, "compression")
		changed = true
	}
	return changed
}

// yamlError turns "yaml: line 3: what" into ":3: what". The library counts lines
// from 0 in the errors of its parser, and from 1 in those of its scanner.
func yamlError(err error) error {
	m := regexp.MustCompile(`^yaml: line (\d+): (.*)$`).FindStringSubmatch(err.Error())
	if m == nil {
		return fmt.Errorf(":1: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	line, _ := strconv.Atoi(m[1])
	if regexp.MustCompile(`^did not find expected (key|'|<|node content)`).MatchString(m[2]) {
		line++
	}
	return fmt.Errorf(":%d: %s", line, m[2])
}

// address is where a component's server is, and the key that says so; "" where the file
// itself is to say it.
func (o ResourceOptions) address(componentType string) (key, address string) {
	switch componentType {
	case "pubsub.kafka":
		return "brokers", strings.Join(o.Brokers, ",")
	case "pubsub.redis", "state.redis":
		return "redisHost", o.Redis
	}
	return "", ""
}

// componentType is "" for what is no component.
func componentType(document *yaml.Node) string {
	kind, of := lookup(document, "kind"), lookup(document, "spec", "type")
	if kind == nil || kind.Value != "Component" || of == nil {
		return ""
	}
	return of.Value
}

// setMetadata gives an item of spec.metadata a value, or with the key envRef the name
// of a variable that has it, in place of whatever it had (a secret's name, say), or
// adds it.
func setMetadata(document *yaml.Node, name, key, value string) {
	text := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
	item := []*yaml.Node{scalar("name"), scalar(name), scalar(key), text}
	spec := lookup(document, "spec")
	list := lookup(spec, "metadata")
	if list == nil {
		list = &yaml.Node{}
		spec.Content = append(spec.Content, scalar("metadata"), list)
	}
	if list.Kind != yaml.SequenceNode { // new, or "metadata:" with nothing after it
		*list = yaml.Node{Kind: yaml.SequenceNode}
	}
	for _, node := range list.Content {
		if n := lookup(node, "name"); n != nil && strings.EqualFold(n.Value, name) {
			if old := lookup(node, "value"); old != nil {
				text.LineComment = old.LineComment
			}
			if len(node.Content) > 0 {
				item[0].HeadComment = node.Content[0].HeadComment
			}
			node.Content = item
			return
		}
	}
	list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode, Content: item})
}

// metadataValue is the value of an item of spec.metadata, "" for none.
func metadataValue(document *yaml.Node, name string) string {
	list := lookup(document, "spec", "metadata")
	if list == nil {
		return ""
	}
	for _, node := range list.Content {
		n, v := lookup(node, "name"), lookup(node, "value")
		if n != nil && v != nil && strings.EqualFold(n.Value, name) {
			return v.Value
		}
	}
	return ""
}

// dropMetadata takes an item of spec.metadata away.
func dropMetadata(document *yaml.Node, name string) {
	if list := lookup(document, "spec", "metadata"); list != nil {
		list.Content = slices.DeleteFunc(list.Content, func(node *yaml.Node) bool {
			n := lookup(node, "name")
			return n != nil && strings.EqualFold(n.Value, name)
		})
	}
}

func scalar(value string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: value} }

// lookup follows keys through mappings; nil when one is missing.
func lookup(node *yaml.Node, keys ...string) *yaml.Node {
	if node != nil && node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	for _, key := range keys {
		if node = value(node, key); node == nil {
			return nil
		}
	}
	return node
}

func value(node *yaml.Node, key string) *yaml.Node {
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}
