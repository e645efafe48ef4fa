package notify

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Parts are what channels need of the process that they run in.
type Parts struct {
	Out  io.Writer                        // of log channels
	Env  func(name string) (string, bool) // as os.LookupEnv
	GOOS string                           // as runtime.GOOS
	Run  Runner                           // of desktop channels
	Now  func() time.Time
}

// Open makes the channels and reads their secrets. Its error tells all that is
// wrong, each with its key, and shows no secret.
func (c Config) Open(p Parts) (*Fan, error) {
	fan := NewFan()
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		settings := c.Channels[name]
		channel, err := settings.open(p)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s.%w", join("channels", name), err))
			continue
		}
		fan.Add(name, channel, settings.Timeout)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return fan, nil
}

// open's errors begin with the key at fault.
func (c ChannelConfig) open(p Parts) (Channel, error) {
	secret, err := c.secret(p.Env)
	if err != nil {
		return nil, err
	}
	switch c.Type {
	case "log":
		return NewLog(p.Out), nil
	case "webhook":
		return NewWebhook(WebhookOptions{
			URL: c.URL, Secrets: secret, AllowHTTP: c.AllowHTTP, AllowNetworks: c.AllowNetworks, Now: p.Now,
		})
	case "email":
		return NewEmail(EmailOptions{
			Host: c.Host, Port: c.Port, TLS: c.TLS, Username: c.Username, Password: secret, From: c.From, To: c.To, Now: p.Now,
		})
	case "desktop":
		desktop, err := NewDesktop(p.GOOS, p.Run)
		if err != nil {
			return nil, fmt.Errorf("type: %w", err)
		}
		return desktop, nil
	default:
		return nil, fmt.Errorf("type: there is no type %q", c.Type)
	}
}

// secret reads the secret from where it is; the end of its last line is not part of
// it. No place is no secret.
func (c ChannelConfig) secret(env func(string) (string, bool)) (Secret, error) {
	switch {
	case c.SecretFile != "":
		data, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return Secret{}, fmt.Errorf("secret_file: %w", err)
		}
		return checkSecret("secret_file", c.SecretFile, string(data))
	case c.SecretEnv != "":
		value, ok := env(c.SecretEnv)
		if !ok {
			return Secret{}, fmt.Errorf("secret_env: the variable %s is not set", c.SecretEnv)
		}
		return checkSecret("secret_env", c.SecretEnv, value)
	}
	return Secret{}, nil
}

func checkSecret(key, place, text string) (Secret, error) {
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return Secret{}, fmt.Errorf("%s: %s is empty", key, place)
	}
	return NewSecret(text), nil
}
