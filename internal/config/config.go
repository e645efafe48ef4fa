package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// A Config is every setting with its value. The zero value has none; Load makes
// them.
type Config struct {
	values map[string]Value
}

// A Value is a setting's value and where it came from, as `config show` prints it.
type Value struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Source string `json:"source"` // default, run.json, the file's path, the variable's name, or the flag
}

// Get is the value of a key as text; a key that is no Setting panics, for it is a
// mistake in the program.
func (c *Config) Get(key string) string {
	v, ok := c.values[key]
	if !ok {
		panic("config: no setting " + key)
	}
	return v.Value
}

// Source tells where the value of a key came from.
func (c *Config) Source(key string) string { return c.values[key].Source }

// Chosen tells whether a user gave the value, rather than a default or the
// addresses of a running stack.
func (c *Config) Chosen(key string) bool {
	source := c.Source(key)
	return source != sourceDefault && source != sourceRun
}

// Int is the value of a key that Validate has found to be a number.
func (c *Config) Int(key string) int {
	n, err := strconv.Atoi(c.Get(key))
	if err != nil {
		return 0
	}
	return n
}

// Bool tells whether the value is true. Only the word true, in any case, and 1
// are: the setup guide's backend compared DAPR_ENABLED with "true".
func (c *Config) Bool(key string) bool {
	v := strings.ToLower(c.Get(key))
	return v == "true" || v == "1"
}

// List is the value split at commas, without empty items.
func (c *Config) List(key string) []string {
	var items []string
	for item := range strings.SplitSeq(c.Get(key), ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// Values lists every setting in order, secrets masked.
func (c *Config) Values() []Value {
	var out []Value
	for _, s := range Settings() {
		v := c.values[s.Key]
		if s.Secret {
			v.Value = mask(v.Value)
		}
		out = append(out, v)
	}
	return out
}

// Validate reports every value that no command could use, each with its source.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, want string) {
		errs = append(errs, fmt.Errorf("%s %q (from %s): must be %s", key, c.Get(key), c.Source(key), want))
	}
	for _, key := range []string{"dapr-http-port", "dapr-grpc-port", "worker-dapr-http-port", "worker-dapr-grpc-port", "metrics-port"} {
		if n, err := strconv.Atoi(c.Get(key)); err != nil || n < 0 || n > 65535 {
			bad(key, "a port, 0 to 65535")
		}
	}
	for _, key := range []string{"api-addr", "broker-addr", "worker-addr", "redis-addr"} {
		if !isAddress(c.Get(key)) {
			bad(key, "an address such as 127.0.0.1:8001")
		}
	}
	for _, broker := range c.List("brokers") {
		if !isAddress(broker) {
			bad("brokers", "addresses such as 127.0.0.1:19092, comma-separated")
			break
		}
	}
	choices := []struct{ key, want string }{
		{"sidecar", "auto spawn external off"},
		{"publisher", "dapr kafka"},
		{"pubsub-profile", "kafka redis rabbitmq in-memory"},
		{"log-level", "debug info warn error"},
		{"log-format", "text json"},
		{"dapr-enabled", "true false 1 0"},
		{"tls", "true false 1 0"},
	}
	if c.Get("sasl-mechanism") != "" {
		choices = append(choices, struct{ key, want string }{"sasl-mechanism", "plain scram-sha-256 scram-sha-512"})
	}
	for _, choice := range choices {
		if !strings.Contains(" "+choice.want+" ", " "+strings.ToLower(c.Get(choice.key))+" ") {
			bad(choice.key, "one of "+strings.ReplaceAll(choice.want, " ", ", "))
		}
	}
	return errors.Join(append(errs, c.checkRabbitMQ())...)
}

// checkRabbitMQ never shows the URL, which may hold a password.
func (c *Config) checkRabbitMQ() error {
	source := c.Source("rabbitmq-url")
	u, err := url.Parse(c.Get("rabbitmq-url"))
	if err != nil || (u.Scheme != "amqp" && u.Scheme != "amqps") || u.Host == "" {
		return fmt.Errorf("rabbitmq-url (from %s): must be a URL such as amqp://127.0.0.1:5672/", source)
	}
	if _, has := u.User.Password(); has && source == "--rabbitmq-url" {
		return errors.New("--rabbitmq-url holds a password, which every user of this machine can see there: set RABBITMQ_URL instead")
	}
	return nil
}

func isAddress(s string) bool {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(port)
	return err == nil && n >= 0 && n <= 65535
}

// With returns a copy in which one setting has another value.
func (c *Config) With(key, value, source string) *Config {
	values := maps.Clone(c.values)
	values[key] = Value{key, value, source}
	return &Config{values: values}
}
