package notify

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// The time that a delivery may take.
const (
	defaultTimeout = 15 * time.Second
	maxTimeout     = 5 * time.Minute
)

// Parse reads a Config from YAML such as
//
//	channels:
//	  hook: {type: webhook, url: "https://example.com/todo", secret_file: /run/secrets/hook}
//	  mail: {type: email, host: mail.example.com, from: todo@example.com, to: u1@example.org}
//	default: {channels: [hook], zone: Europe/Berlin, quiet: 22:00-07:00}
//	users:
//	  u1: {channels: [mail], quiet: none}
//
// Its error tells all that is wrong, each with its key; it shows no value that might
// be a secret.
func Parse(data []byte) (Config, error) {
	var c Config
	documents := yaml.NewDecoder(bytes.NewReader(data))
	if err := documents.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return Config{}, err
	}
	if c.Channels == nil {
		return Config{}, errors.New("channels: must name at least one channel")
	}
	if err := documents.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Config{}, errors.New("only one YAML document is read, and there are more")
	}
	return c, nil
}

// UnmarshalYAML reads a Config that stands within a larger document, as Parse does.
func (c *Config) UnmarshalYAML(node *yaml.Node) error {
	var read Config
	r := &reader{}
	r.mapping(node, "", map[string]reads{
		"channels": func(n *yaml.Node, at string) { read.Channels = r.channels(n, at) },
		"default":  func(n *yaml.Node, at string) { read.Default = r.user(n, at) },
		"users": func(n *yaml.Node, at string) {
			read.Users = map[string]UserConfig{}
			for name, value := range r.pairs(n, at) {
				read.Users[name.Value] = r.user(value, join(at, name.Value))
			}
		},
	})
	if err := errors.Join(r.errs...); err != nil {
		return err
	}
	if err := read.check(); err != nil {
		return err
	}
	*c = read
	return nil
}

// check finds what only shows when all is read.
func (c Config) check() error {
	if len(c.Channels) == 0 {
		return errors.New("channels: must name at least one channel")
	}
	var errs []error
	if len(c.Default.Channels) == 0 {
		errs = append(errs, errors.New("default.channels: must name at least one channel"))
	}
	known := func(at string, names []string) {
		for _, name := range names {
			if _, ok := c.Channels[name]; !ok {
				errs = append(errs, fmt.Errorf("%s: there is no channel %q, only %s", at, name, strings.Join(slices.Sorted(maps.Keys(c.Channels)), ", ")))
			}
		}
	}
	known("default.channels", c.Default.Channels)
	for _, id := range slices.Sorted(maps.Keys(c.Users)) {
		known(join("users", id)+".channels", c.Users[id].Channels)
	}
	return errors.Join(errs...)
}

func (r *reader) channels(node *yaml.Node, at string) map[string]ChannelConfig {
	channels := map[string]ChannelConfig{}
	for name, value := range r.pairs(node, at) {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
		if name.Value == "" || strings.Trim(name.Value, letters) != "" {
			r.fail(name, join(at, name.Value), "a channel's name has letters, digits, - and _ only")
		}
		channels[name.Value] = r.channel(value, join(at, name.Value))
	}
	return channels
}

func (r *reader) channel(node *yaml.Node, at string) ChannelConfig {
	c := ChannelConfig{Timeout: defaultTimeout}
	if kind := lookup(node, "type"); kind != nil {
		c.Type = kind.Value
	}
	keys := map[string]reads{"type": func(*yaml.Node, string) {}, "timeout": r.timeout(&c.Timeout)}
	secret := map[string]reads{"secret_file": r.text(&c.SecretFile), "secret_env": r.text(&c.SecretEnv)}
	switch c.Type {
	case "log", "desktop":
	case "webhook":
		maps.Copy(keys, secret)
		maps.Copy(keys, map[string]reads{
			"url": r.secret(&c.URL), "allow_http": r.scalar(&c.AllowHTTP, "true or false"), "allow_networks": r.networks(&c.AllowNetworks),
		})
	case "email":
		maps.Copy(keys, secret)
		maps.Copy(keys, map[string]reads{
			"host": r.text(&c.Host), "port": r.scalar(&c.Port, "a number"), "tls": r.text(&c.TLS),
			"username": r.text(&c.Username), "from": r.text(&c.From), "to": r.text(&c.To),
		})
	default:
		r.fail(node, join(at, "type"), "must be log, webhook, email or desktop")
		return c
	}
	r.mapping(node, at, keys)
	if c.SecretFile != "" && c.SecretEnv != "" {
		r.fail(node, join(at, "secret_env"), "must not be given beside secret_file")
	}
	return c
}

func (r *reader) user(node *yaml.Node, at string) UserConfig {
	var u UserConfig
	r.mapping(node, at, map[string]reads{
		"channels": r.texts(&u.Channels),
		"zone": r.parsed("the name of a time zone such as Europe/Berlin", func(s string) (err error) {
			if s == "" {
				return errors.New("empty")
			}
			u.Zone, err = time.LoadLocation(s)
			return err
		}),
		"quiet": r.parsed("two times such as 22:00-07:00, or none", func(s string) (err error) {
			u.Quiet, err = parseQuiet(s)
			return err
		}),
	})
	return u
}

// parseQuiet reads two times with a dash between, or none.
func parseQuiet(s string) (*QuietHours, error) {
	if s == "none" {
		return &QuietHours{}, nil
	}
	before, after, _ := strings.Cut(s, "-")
	from, err := ParseClockTime(strings.TrimSpace(before))
	if err != nil {
		return nil, err
	}
	to, err := ParseClockTime(strings.TrimSpace(after))
	if err != nil {
		return nil, err
	}
	if from == to {
		return nil, errors.New("from and to are the same")
	}
	return &QuietHours{From: from, To: to}, nil
}

func (r *reader) timeout(to *time.Duration) reads {
	return r.parsed("a duration from 1s to 5m", func(s string) (err error) {
		*to, err = time.ParseDuration(s)
		if err == nil && (*to < time.Second || *to > maxTimeout) {
			return errors.New("out of range")
		}
		return err
	})
}

func (r *reader) networks(to *[]netip.Prefix) reads {
	return func(node *yaml.Node, at string) {
		var words []string
		r.texts(&words)(node, at)
		for _, word := range words {
			network, err := netip.ParsePrefix(word)
			if err != nil || network != network.Masked() || network.Addr().Is4In6() {
				r.fail(node, at, "%q is no network such as 10.1.0.0/16", word)
			}
			*to = append(*to, network)
		}
	}
}
