package doctor

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// lookup follows keys through mappings, whatever the keys' case, as Dapr's decoder
// does; nil when one is missing.
func lookup(node *yaml.Node, keys ...string) *yaml.Node {
	for _, key := range keys {
		if node = member(node, key, maxAliases); node == nil {
			return nil
		}
	}
	return resolve(node)
}

// maxAliases bounds what is followed of aliases and merge keys, which may be circular.
const maxAliases = 8

func member(node *yaml.Node, key string, depth int) *yaml.Node {
	node = resolve(node)
	if node == nil || node.Kind != yaml.MappingNode || depth == 0 {
		return nil
	}
	var merged *yaml.Node
	for i := 0; i+1 < len(node.Content); i += 2 {
		switch name := node.Content[i].Value; {
		case strings.EqualFold(name, key):
			return node.Content[i+1]
		case name == "<<" && merged == nil:
			merged = member(node.Content[i+1], key, depth-1)
		}
	}
	return merged
}

func resolve(node *yaml.Node) *yaml.Node {
	for range maxAliases {
		if node == nil || node.Kind != yaml.AliasNode {
			return node
		}
		node = node.Alias
	}
	return nil
}

// text is the value of a scalar; "" for anything else, null included.
func text(node *yaml.Node) string {
	node = resolve(node)
	if node == nil || node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		return ""
	}
	return node.Value
}

// children are the items of a list.
func children(node *yaml.Node) []*yaml.Node {
	node = resolve(node)
	if node == nil || node.Kind != yaml.SequenceNode {
		return nil
	}
	return node.Content
}

// A pair is a key of a mapping with its value.
type pair struct{ key, value *yaml.Node }

func pairs(node *yaml.Node) []pair {
	node = resolve(node)
	if node == nil || node.Kind != yaml.MappingNode {
		return nil
	}
	var list []pair
	for i := 0; i+1 < len(node.Content); i += 2 {
		list = append(list, pair{node.Content[i], node.Content[i+1]})
	}
	return list
}
