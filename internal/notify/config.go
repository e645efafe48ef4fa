package notify

import (
	"net/netip"
	"time"
)

// A Config says which channels there are and who is told on which. Parse makes it;
// it holds no secret but where to find them, and the URLs of webhooks, masked.
type Config struct {
	Channels map[string]ChannelConfig
	Default  UserConfig            // of everyone, as far as Users says nothing else
	Users    map[string]UserConfig // by user id
}

// A ChannelConfig describes one channel. Fields that its type has no use for are
// zero.
type ChannelConfig struct {
	Type       string // log, webhook, email or desktop
	Timeout    time.Duration
	SecretFile string // the secret is in this file, or
	SecretEnv  string // in this environment variable, or there is none

	URL           Secret // of a webhook
	AllowHTTP     bool
	AllowNetworks []netip.Prefix

	Host     string // of an e-mail server
	Port     int
	TLS      string
	Username string
	From, To string
}

// A UserConfig is what one user wants. Nil and empty fields are as in
// [Config.Default].
type UserConfig struct {
	Channels []string
	Zone     *time.Location
	Quiet    *QuietHours
}

// User is what a user wants, with nothing left out: the zone is UTC and the quiet
// hours are none where nobody said more.
func (c Config) User(id string) UserConfig {
	u := c.Users[id]
	if len(u.Channels) == 0 {
		u.Channels = c.Default.Channels
	}
	if u.Zone == nil {
		u.Zone = c.Default.Zone
	}
	if u.Zone == nil {
		u.Zone = time.UTC
	}
	if u.Quiet == nil {
		u.Quiet = c.Default.Quiet
	}
	quiet := QuietHours{}
	if u.Quiet != nil {
		quiet = *u.Quiet
	}
	quiet.Zone = u.Zone // the clocks where the user is
	u.Quiet = &quiet
	return u
}

// Wanted names the channels for a notification: those of the task, else those of
// the user, else the default ones.
func (c Config) Wanted(userID string, ofTask []string) []string {
	if len(ofTask) > 0 {
		return ofTask
	}
	return c.User(userID).Channels
}

// LongestTimeout is the longest that a channel has for a delivery.
func (c Config) LongestTimeout() time.Duration {
	longest := time.Duration(0)
	for _, channel := range c.Channels {
		longest = max(longest, channel.Timeout)
	}
	return longest
}
