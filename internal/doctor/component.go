package doctor

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A component is a document of kind Component.
type component struct {
	*document
	typ      string // in small letters: Dapr doesn't tell them apart
	typeNode *yaml.Node
	items    []item
}

// An item is one of spec.metadata.
type item struct {
	name     string
	nameNode *yaml.Node
	value    string
	node     *yaml.Node // of the value; nil when it comes from elsewhere
	secret   string     // the secret's name
	env      string
}

// given tells whether it has a value, here or elsewhere.
func (i item) given() bool { return i.value != "" || i.secret != "" || i.env != "" }

func (r resources) components() []component {
	var list []component
	for _, d := range r.of("Component") {
		typeNode := lookup(d.root, "spec", "type")
		c := component{document: d, typ: strings.ToLower(text(typeNode)), typeNode: typeNode}
		for _, node := range children(lookup(d.root, "spec", "metadata")) {
			nameNode := lookup(node, "name")
			value := lookup(node, "value")
			c.items = append(c.items, item{
				name: text(nameNode), nameNode: nameNode, value: text(value), node: value,
				secret: text(lookup(node, "secretKeyRef", "name")), env: text(lookup(node, "envRef")),
			})
		}
		list = append(list, c)
	}
	return list
}

// refused says what comes of a component that Dapr refuses.
func (c component) refused() string {
	if isTrue(text(lookup(c.root, "spec", "ignoreErrors"))) {
		return "it isn't loaded (ignoreErrors)"
	}
	return "daprd ends when it starts"
}

// item is the metadata item of that name, whatever its case; of several the last one,
// as in Dapr.
func (c component) item(name string) (item, bool) {
	for _, i := range slices.Backward(c.items) {
		if strings.EqualFold(i.name, name) {
			return i, true
		}
	}
	return item{}, false
}

func (c component) value(name string) string {
	i, _ := c.item(name)
	return i.value
}

// knownVersion tells whether Dapr has the version of the type: the first one goes by three
// names, and only state stores have a second.
func (c component) knownVersion() bool {
	switch strings.ToLower(text(lookup(c.root, "spec", "version"))) {
	case "", "v0", "v1":
		return true
	case "v2":
		return strings.HasPrefix(c.typ, "state.")
	}
	return false
}

// auth is Kafka's authType, or what Dapr takes authRequired for without one.
func (c component) auth() string {
	auth := c.value("authType")
	if auth != "" {
		return auth
	}
	required, err := strconv.ParseBool(c.value("authRequired"))
	password, _ := c.item("saslPassword")
	switch {
	case err != nil:
		return ""
	case !required:
		return "none"
	case password.given():
		return "password"
	}
	return "mtls"
}

func (c component) isPubsub() bool { return strings.HasPrefix(c.typ, "pubsub.") }
func (c component) isKafka() bool  { return c.typ == "pubsub.kafka" }

// serves tells whether an app may use what has these scopes.
func serves(scopes []string, appID string) bool {
	return len(scopes) == 0 || slices.Contains(scopes, appID)
}

// A subscription is a document of kind Subscription.
type subscription struct {
	*document
	pubsub, topic, deadLetter string
}

func (r resources) subscriptions() []subscription {
	var list []subscription
	for _, d := range r.of("Subscription") {
		list = append(list, subscription{
			document: d, pubsub: text(lookup(d.root, "spec", "pubsubname")),
			topic: text(lookup(d.root, "spec", "topic")), deadLetter: text(lookup(d.root, "spec", "deadLetterTopic")),
		})
	}
	return list
}

// kubernetes tells whether the folder is meant for a cluster: it has objects of
// Kubernetes itself or of its operators, or addresses of a cluster's services.
func (r resources) kubernetes() bool {
	for _, d := range r.documents {
		_, _, named := strings.Cut(d.apiVersion, "/")
		if d.apiVersion == "v1" || (named && d.name != "" && !strings.HasPrefix(d.apiVersion, "dapr.io/")) {
			return true
		}
	}
	for _, c := range r.components() {
		for _, i := range c.items {
			for _, part := range []string{".svc.cluster.local", ".svc:", "-kafka-bootstrap"} { // the last is Strimzi's
				if strings.Contains(i.value, part) {
					return true
				}
			}
		}
	}
	return false
}
