package doctor

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A form is what Dapr wants at a place of a document.
type form struct {
	keys []string
	tag  string // of YAML: !!str, !!bool, !!seq or !!map
}

// forms are those that people get wrong. Dapr passes over a document with another one,
// whatever else is right in it.
func forms(kind string) []form {
	list := []form{
		{[]string{"metadata"}, "!!map"}, {[]string{"metadata", "name"}, "!!str"}, {[]string{"metadata", "namespace"}, "!!str"},
		{[]string{"spec"}, "!!map"}, {[]string{"scopes"}, "!!seq"},
	}
	switch kind {
	case "Component":
		list = append(list, form{[]string{"spec", "type"}, "!!str"}, form{[]string{"spec", "version"}, "!!str"},
			form{[]string{"spec", "metadata"}, "!!seq"}, form{[]string{"spec", "ignoreErrors"}, "!!bool"}, form{[]string{"auth"}, "!!map"})
	case "Subscription":
		list = append(list, form{[]string{"spec", "topic"}, "!!str"}, form{[]string{"spec", "pubsubname"}, "!!str"},
			form{[]string{"spec", "deadLetterTopic"}, "!!str"}, form{[]string{"spec", "metadata"}, "!!map"}, form{[]string{"spec", "bulkSubscribe"}, "!!map"})
	case "Resiliency":
		list = append(list, form{[]string{"spec", "policies"}, "!!map"}, form{[]string{"spec", "targets"}, "!!map"}, form{[]string{"spec", "targets", "components"}, "!!map"})
	}
	return list
}

// misfit is the first node of another form than Dapr wants there, with what is wrong;
// nil when there is none.
func misfit(root *yaml.Node) (*yaml.Node, string) {
	kind := text(lookup(root, "kind"))
	for _, f := range forms(kind) {
		if node := lookup(root, f.keys...); node != nil && !fitsForm(node, f.tag) {
			return node, fmt.Sprintf("%s is %s, and %s is wanted", strings.Join(f.keys, "."), formWords(node.ShortTag()), formWords(f.tag))
		}
	}
	for _, node := range children(lookup(root, "scopes")) {
		if node = resolve(node); node != nil && node.ShortTag() != "!!str" { // here no number becomes a text
			return node, fmt.Sprintf("an item of scopes is %s, and a text is wanted", formWords(node.ShortTag()))
		}
	}
	if kind != "Component" {
		return nil, ""
	}
	for _, node := range children(lookup(root, "spec", "metadata")) {
		if item := resolve(node); item != nil && !fitsForm(item, "!!map") {
			return item, fmt.Sprintf("an item of spec.metadata is %s, and name and value are wanted", formWords(item.ShortTag()))
		}
	}
	return nil, ""
}

// fitsForm tells whether a node is of the form: null always is, and for a text Dapr
// takes any scalar.
func fitsForm(node *yaml.Node, tag string) bool {
	have := node.ShortTag()
	return have == tag || have == "!!null" || (tag == "!!str" && node.Kind == yaml.ScalarNode)
}

func formWords(tag string) string {
	switch tag {
	case "!!map":
		return "a mapping"
	case "!!seq":
		return "a list (- item)"
	case "!!bool":
		return "true or false without quotes"
	case "!!int", "!!float":
		return "a number without quotes"
	}
	return "a text"
}
