package notify

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

const wholeConfig = `
channels:
  console: {type: log}
  screen: {type: desktop, timeout: 5s}
  hook:
    type: webhook
    url: https://example.com/hooks/token
    secret_file: hook.secret
  inside:
    type: webhook
    url: http://10.1.2.3:8080/
    secret_env: INSIDE
    allow_http: true
    allow_networks: [10.1.0.0/16, "::1/128"]
  mail:
    type: email
    host: mail.example.com
    port: 465
    tls: tls
    username: todo
    secret_env: MAIL
    from: Todo <todo@example.com>
    to: u1@example.org
default:
  channels: [console]
  zone: Europe/Berlin
  quiet: 22:00-07:00
users:
  u1: {channels: [mail, hook]}
  u2: {quiet: none, zone: America/New_York}
  "12": {quiet: 23:00-06:30}
`

func parse(t *testing.T, text string) Config {
	t.Helper()
	c, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestParse(t *testing.T) {
	c := parse(t, wholeConfig)
	want := map[string]ChannelConfig{
		"console": {Type: "log", Timeout: 15 * time.Second},
		"screen":  {Type: "desktop", Timeout: 5 * time.Second},
		"hook":    {Type: "webhook", Timeout: 15 * time.Second, SecretFile: "hook.secret"},
		"inside": {
			Type: "webhook", Timeout: 15 * time.Second, SecretEnv: "INSIDE", AllowHTTP: true,
			AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")},
		},
		"mail": {
			Type: "email", Timeout: 15 * time.Second, SecretEnv: "MAIL", Host: "mail.example.com", Port: 465, TLS: "tls",
			Username: "todo", From: "Todo <todo@example.com>", To: "u1@example.org",
		},
	}
	urls := map[string]string{}
	for name, channel := range c.Channels {
		urls[name] = channel.URL.Reveal()
		channel.URL = Secret{}
		c.Channels[name] = channel
	}
	sameNet := cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })
	sameSecret := cmp.Comparer(func(a, b Secret) bool { return a.Reveal() == b.Reveal() })
	if diff := cmp.Diff(want, c.Channels, sameNet, sameSecret); diff != "" {
		t.Error(diff)
	}
	if urls["hook"] != "https://example.com/hooks/token" || urls["inside"] != "http://10.1.2.3:8080/" {
		t.Errorf("urls %v", urls)
	}
}

func TestConfigUser(t *testing.T) {
	c := parse(t, wholeConfig)
	for id, want := range map[string]string{
		"u1":     "mail,hook Europe/Berlin 22:00-07:00 Europe/Berlin",
		"u2":     "console America/New_York 00:00-00:00 America/New_York",
		"12":     "console Europe/Berlin 23:00-06:30 Europe/Berlin",
		"nobody": "console Europe/Berlin 22:00-07:00 Europe/Berlin",
	} {
		u := c.User(id)
		got := fmt.Sprintf("%s %s %s-%s %s", strings.Join(u.Channels, ","), u.Zone, u.Quiet.From, u.Quiet.To, u.Quiet.Zone)
		if got != want {
			t.Errorf("%s: %s, want %s", id, got, want)
		}
	}
	plain := parse(t, "channels: {a: {type: log}}\ndefault: {channels: [a]}").User("u1")
	if plain.Zone != time.UTC || !plain.Quiet.Until(noon).IsZero() {
		t.Errorf("without zone and quiet hours: %+v", plain)
	}
	for _, w := range []struct {
		user   string
		ofTask []string
		want   []string
	}{{"u1", []string{"screen"}, []string{"screen"}}, {"u1", nil, []string{"mail", "hook"}}, {"nobody", []string{}, []string{"console"}}} {
		if got := c.Wanted(w.user, w.ofTask); !slices.Equal(got, w.want) {
			t.Errorf("%s with %v: %v, want %v", w.user, w.ofTask, got, w.want)
		}
	}
}

func TestParseWithinADocument(t *testing.T) {
	var all struct {
		Profile       string `yaml:"profile"`
		Notifications Config `yaml:"notifications"`
	}
	text := "profile: a\nnotifications:\n" + strings.ReplaceAll(wholeConfig, "\n", "\n  ")
	if err := yaml.Unmarshal([]byte(text), &all); err != nil || len(all.Notifications.Channels) != 5 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestParseErrors(t *testing.T) {
	const tail = "\ndefault: {channels: [a]}"
	for _, c := range []struct{ text, want string }{
		{"", "channels: must name at least one channel"},
		{"null", "channels: must name at least one channel"},
		{"channels:\ndefault: {channels: [a]}", "channels: must name at least one channel"},
		{"[a]", "line 1: notifications: must be keys with values"},
		{"channels: [a]" + tail, "line 1: channels: must be keys with values"},
		{"channels: {a: log}" + tail, "line 1: channels.a.type: must be log, webhook, email or desktop"},
		{"channels: {a: {type: sms}}" + tail, "line 1: channels.a.type: must be log, webhook, email or desktop"},
		{"channels: {a: {type: [log]}}" + tail, "line 1: channels.a.type: must be log, webhook, email or desktop"},
		{"channels: {a: {}}" + tail, "line 1: channels.a.type: must be log, webhook, email or desktop"},
		{"channels: {a b: {type: log}}\ndefault: {channels: [a b]}", `line 1: channels."a b": a channel's name has letters, digits, - and _ only`},
		{"channels:\n  a:\n    type: webhook\n    secret: hunter2" + tail,
			"line 4: channels.a.secret: is no key here; there are allow_http, allow_networks, secret_env, secret_file, timeout, type, url"},
		{"channels: {a: {type: log, url: hunter2}}" + tail, "line 1: channels.a.url: is no key here; there are timeout, type"},
		{"channels: {a: {type: log, timeout: 0s}}" + tail, "line 1: channels.a.timeout: must be a duration from 1s to 5m"},
		{"channels: {a: {type: log, timeout: 6m}}" + tail, "line 1: channels.a.timeout: must be a duration from 1s to 5m"},
		{"channels: {a: {type: log, timeout: 15}}" + tail, "line 1: channels.a.timeout: must be a duration from 1s to 5m"},
		{"channels: {a: {type: email, port: hunter2}}" + tail, "line 1: channels.a.port: must be a number"},
		{"channels: {a: {type: email, host: }}" + tail, "line 1: channels.a.host: must be a text"},
		{"channels: {a: {type: webhook, url: [hunter2]}}" + tail, "line 1: channels.a.url: must be a text"},
		{"channels: {a: {type: webhook, allow_http: maybe}}" + tail, "line 1: channels.a.allow_http: must be true or false"},
		{"channels: {a: {type: webhook, allow_networks: 10.0.0.0/8}}" + tail, "line 1: channels.a.allow_networks: must be a list such as [a, b]"},
		{"channels: {a: {type: webhook, allow_networks: [10.1.2.3/8]}}" + tail, `line 1: channels.a.allow_networks: "10.1.2.3/8" is no network such as 10.1.0.0/16`},
		{"channels: {a: {type: webhook, secret_file: a, secret_env: B}}" + tail, "line 1: channels.a.secret_env: must not be given beside secret_file"},
		{"channels: {a: {type: log, type: desktop}}" + tail, "line 1: channels.a.type: is given twice"},
		{"channels: {a: {type: log}, a: {type: log}}" + tail, "line 1: channels.a: is given twice"},
		{"channels: {a: &a {type: log}, b: {<<: *a, type: log}}" + tail, "line 1: channels.b: has a key that isn't a plain word"},
		{"channels: {a: {type: log}}", "default.channels: must name at least one channel"},
		{"channels: {a: {type: log}}\ndefault: {channels: []}", "line 2: default.channels: must be a list such as [a, b]"},
		{"channels: {a: {type: log}}\ndefault: {channels: [b]}", `default.channels: there is no channel "b", only a`},
		{"channels: {a: {type: log}}" + tail + "\nusers: {u.1: {channels: [b]}}", `users."u.1".channels: there is no channel "b", only a`},
		{"channels: {a: {type: log}}\ndefault: {channels: [a], zone: Mars/Base}", "line 2: default.zone: must be the name of a time zone such as Europe/Berlin"},
		{"channels: {a: {type: log}}\ndefault: {channels: [a], zone: ''}", "line 2: default.zone: must be the name of a time zone such as Europe/Berlin"},
		{"channels: {a: {type: log}}\ndefault: {channels: [a], quiet: 22:00}", "line 2: default.quiet: must be two times such as 22:00-07:00, or none"},
		{"channels: {a: {type: log}}\ndefault: {channels: [a], quiet: 7:00-22:00}", "line 2: default.quiet: must be two times such as 22:00-07:00, or none"},
		{"channels: {a: {type: log}}\ndefault: {channels: [a], quiet: 07:00-07:00}", "line 2: default.quiet: must be two times such as 22:00-07:00, or none"},
		{"chanels: {}\nuser: {}", "line 1: chanels: is no key here; there are channels, default, users\nline 2: user: is no key here; there are channels, default, users"},
		{"channels: {a: {type: log}}" + tail + "\n---\nchannels: {}", "only one YAML document is read, and there are more"},
		{"channels: {a: *b}", "yaml: unknown anchor 'b' referenced"},
	} {
		_, err := Parse([]byte(c.text))
		if err == nil {
			t.Errorf("%q: no error", c.text)
			continue
		}
		if diff := cmp.Diff(c.want, err.Error()); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

// opened opens a config in a folder with a secret file.
func opened(t *testing.T, text string, run Runner) (*Fan, *bytes.Buffer, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"hook": specSecret + "\n" + otherSecret + "\n", "bad": "hunter2\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"HOOK": specSecret, "MAIL": "hunter2", "EMPTY": ""}
	var out bytes.Buffer
	fan, err := parse(t, strings.ReplaceAll(text, "DIR", dir)).Open(Parts{
		Out: &out, GOOS: "linux", Run: run, Now: fixedNow,
		Env: func(name string) (string, bool) {
			value, ok := env[name]
			return value, ok
		},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s", strings.ReplaceAll(err.Error(), dir, "DIR"))
	}
	return fan, &out, nil
}

func TestOpen(t *testing.T) {
	var shown []string
	fan, out, err := opened(t, `
channels:
  console: {type: log}
  screen: {type: desktop}
  hook: {type: webhook, url: "https://127.0.0.1:1/token", secret_file: DIR/hook, allow_networks: [127.0.0.0/8]}
  mail: {type: email, host: 127.0.0.1, port: 1, username: todo, secret_env: MAIL, from: todo@example.com, to: u1@example.org}
default: {channels: [console, screen, hook, mail]}
`, func(_ context.Context, name string, _ ...string) error {
		shown = append(shown, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	results := fan.Send(t.Context(), groceries(), []string{"console", "screen", "hook", "mail"})
	if results[0].Err != nil || results[1].Err != nil || !slices.Equal(shown, []string{"notify-send"}) || out.Len() == 0 {
		t.Errorf("%v, ran %v, wrote %s", outcomes(results), shown, out)
	}
	for i, channel := range []string{"webhook 127.0.0.1:1: ", "e-mail 127.0.0.1: "} { // nobody listens on port 1
		err := results[2+i].Err
		if err == nil || IsPermanent(err) || !strings.HasPrefix(err.Error(), channel) || strings.Contains(err.Error(), "token") {
			t.Errorf("%v, want one of %s", err, channel)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	const good = `{type: webhook, url: "https://example.com/token", secret_env: HOOK}`
	for channel, want := range map[string]string{
		`{type: webhook, url: "https://example.com/token"}`:                                              "channels.a.secret: a webhook needs a secret",
		`{type: webhook, url: "https://example.com/token", secret_file: DIR/bad}`:                        `channels.a.secret: each webhook secret must be "whsec_" and the base64 of 24 to 64 bytes`,
		`{type: webhook, url: "https://example.com/token", secret_file: DIR/empty}`:                      "channels.a.secret_file: DIR/empty is empty",
		`{type: webhook, url: "https://example.com/token", secret_file: DIR/none}`:                       "channels.a.secret_file: open DIR/none: no such file or directory",
		`{type: webhook, url: "https://example.com/token", secret_env: NONE}`:                            "channels.a.secret_env: the variable NONE is not set",
		`{type: webhook, url: "https://example.com/token", secret_env: EMPTY}`:                           "channels.a.secret_env: EMPTY is empty",
		`{type: webhook, secret_env: HOOK}`:                                                              "channels.a.url: must begin with https://",
		`{type: webhook, url: "http://example.com/token", secret_env: HOOK}`:                             "channels.a.url: must begin with https://",
		`{type: webhook, url: "https://hunter2@example.com/", secret_env: HOOK}`:                         "channels.a.url: must not hold a user name or password",
		`{type: webhook, url: "https://192.168.0.1/token", secret_env: HOOK}`:                            "channels.a.url: 192.168.0.1 is not a public address, nor is it in allow_networks",
		`{type: email, from: a@example.com, to: b@example.com}`:                                          "channels.a.host: must be the name or address of a mail server",
		`{type: email, host: m, from: a@example.com, to: b@example.com, secret_env: MAIL}`:               "channels.a.username: is missing, and there is a secret",
		`{type: email, host: m, from: a, to: b@example.com}`:                                             `channels.a.from: must be an e-mail address such as "Todo <todo@example.com>"`,
		`{type: email, host: m, tls: ssl, from: a@example.com, to: b@example.com}`:                       "channels.a.tls: must be starttls, tls or none",
		`{type: email, host: m, username: u, secret_file: DIR/none, from: a@b.example, to: b@c.example}`: "channels.a.secret_file: open DIR/none: no such file or directory",
	} {
		_, _, err := opened(t, "channels:\n  a: "+channel+"\n  b: "+good+"\ndefault: {channels: [a]}", nil)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", channel, err, want)
		}
	}
}

// TestConfigIsNotPrinted prints a config in every way: a webhook's URL may hold a
// token.
func TestConfigIsNotPrinted(t *testing.T) {
	c := parse(t, wholeConfig)
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("config", "all", c)
	slog.New(slog.NewTextHandler(&log, nil)).Info("config", "all", c, "url", c.Channels["hook"].URL)
	out, err := yaml.Marshal(c.Channels)
	if err != nil {
		t.Fatal(err)
	}
	printed := fmt.Sprintf("%v %+v %#v", c, c, c) + log.String() + string(out)
	if strings.Contains(printed, "token") || !strings.Contains(printed, "mail.example.com") {
		t.Error(printed)
	}
}

// FuzzParse holds that a config which is read can be asked and opened without a
// panic, and that no error of opening shows the secret.
func FuzzParse(f *testing.F) {
	f.Add([]byte(wholeConfig))
	for _, text := range []string{
		"channels: {a: {type: log}}\ndefault: {channels: [a], quiet: 22:00-07:00, zone: Asia/Gaza}", "a: &a [*a]", "? {a: b}\n: c",
		"channels: {a: {type: webhook, url: hunter2, secret_env: X}}\ndefault: {channels: [a]}", "channels: &c {a: *c}", "!!binary a: b", "users: {<<: {a: b}}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		u := c.User("u1")
		if len(c.Channels) == 0 || len(u.Channels) == 0 || u.Zone == nil || u.Quiet == nil {
			t.Errorf("%q: %+v, user %+v", data, c, u)
		}
		for _, name := range c.Wanted("u1", nil) {
			if _, ok := c.Channels[name]; !ok {
				t.Errorf("%q: wants %q, which isn't there", data, name)
			}
		}
		if until := u.Quiet.Until(noon); !until.IsZero() && !until.After(noon) {
			t.Errorf("%q: quiet until %v", data, until)
		}
		for name, channel := range c.Channels { // no file is read
			channel.SecretFile = ""
			c.Channels[name] = channel
		}
		_, err = c.Open(Parts{Out: &bytes.Buffer{}, GOOS: "linux", Now: fixedNow, Env: func(string) (string, bool) { return specSecret, true }})
		if err != nil && strings.Contains(err.Error(), strings.TrimPrefix(specSecret, "whsec_")) {
			t.Errorf("%q: %v", data, err)
		}
	})
}
