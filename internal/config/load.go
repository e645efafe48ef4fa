package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

const (
	sourceDefault = "default"
	sourceRun     = "run.json"
)

// Layers is where values come from, strongest first: Flags, the environment, the
// file (its profile before its top level), Run, the defaults.
type Layers struct {
	Flags     map[string]string // by key; only those that were given
	LookupEnv func(string) (string, bool)
	File      string // "": todoctl.yaml here, else in ConfigDir
	ConfigDir string // the folder of the user's settings, such as ~/.config/todoctl
	Profile   string // a name under profiles in the file

	// Run gives the addresses of the stack that runs with this data folder, by key.
	// It may be nil.
	Run func(dataDir string) map[string]string
}

// Load works out every setting. Errors name the file and the key: a file that
// can't be read or parsed, an unknown key, an unknown profile, a bad value.
func Load(l Layers) (*Config, error) {
	file, path, err := readFile(l)
	if err != nil {
		return nil, err
	}
	c := &Config{values: make(map[string]Value)}
	for _, s := range Settings() {
		c.values[s.Key] = l.value(s, file, path)
	}
	if l.Run != nil {
		c.fill(l.Run(c.Get("data-dir")))
	}
	c.complete()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return c, nil
}

func (l Layers) value(s Setting, file map[string]string, path string) Value {
	if v, ok := l.Flags[s.Key]; ok {
		return Value{s.Key, v, "--" + s.Key}
	}
	for _, name := range s.Variables() {
		if v, ok := l.LookupEnv(name); ok && v != "" {
			return Value{s.Key, v, name}
		}
	}
	if v, ok := file[s.Key]; ok {
		return Value{s.Key, v, path}
	}
	return Value{s.Key, s.Default, sourceDefault}
}

// fill puts the addresses of a running stack in the place of defaults, and of port
// 0, which has no other meaning than the port that was free.
func (c *Config) fill(run map[string]string) {
	for _, s := range Settings() {
		v, now := run[s.Key], c.values[s.Key]
		if s.Client && v != "" && (now.Source == sourceDefault || now.Value == "0") {
			c.values[s.Key] = Value{s.Key, v, sourceRun}
		}
	}
}

// complete fills in defaults that hang on other settings.
func (c *Config) complete() {
	if c.Get("pubsub") == "" {
		c.values["pubsub"] = Value{"pubsub", "pubsub-" + c.Get("pubsub-profile"), sourceDefault}
	}
	if host := c.Get("redis-addr"); host != "" && !strings.Contains(host, ":") { // as Dapr takes it
		c.values["redis-addr"] = Value{"redis-addr", net.JoinHostPort(host, "6379"), c.Source("redis-addr")}
	}
}

// readFile returns the file's values by key and the file's path; no file gives no
// values. A file that was asked for must be there.
func readFile(l Layers) (map[string]string, string, error) {
	path, err := findFile(l)
	if err != nil || path == "" {
		if err == nil && l.Profile != "" {
			err = fmt.Errorf("profile %q: there is no todoctl.yaml here or in %s", l.Profile, l.ConfigDir)
		}
		return nil, "", err
	}
	v := viper.New()
	v.SetConfigFile(path)
	v.SetConfigType("yaml")
	if err := v.ReadInConfig(); err != nil {
		return nil, "", fmt.Errorf("read settings from %s: %w", path, err)
	}
	values, err := section(v.AllSettings(), path)
	if err != nil || l.Profile == "" {
		return values, path, err
	}
	profile := v.Sub("profiles." + l.Profile)
	if profile == nil {
		return nil, "", fmt.Errorf("profile %q is not in %s (profiles there: %s)", l.Profile, path, names(v.GetStringMap("profiles")))
	}
	over, err := section(profile.AllSettings(), path)
	for key, value := range over {
		values[key] = value
	}
	return values, path, err
}

func findFile(l Layers) (string, error) {
	if l.File != "" {
		if _, err := os.Stat(l.File); err != nil {
			return "", fmt.Errorf("read settings: %w", err)
		}
		return l.File, nil
	}
	for _, path := range []string{"todoctl.yaml", filepath.Join(l.ConfigDir, "todoctl.yaml")} {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("read settings: %w", err)
		}
	}
	return "", nil
}

// section turns the settings of one level of the file into text by key.
func section(settings map[string]any, path string) (map[string]string, error) {
	values := make(map[string]string)
	var errs []error
	for key, value := range settings {
		known := slices.ContainsFunc(Settings(), func(s Setting) bool { return s.Key == key })
		switch value := value.(type) {
		case map[string]any:
			if key != "profiles" {
				errs = append(errs, fmt.Errorf("%s: %s holds a group of values, must be one value", path, key))
			}
			continue
		case []any:
			items := make([]string, len(value))
			for i, item := range value {
				items[i] = fmt.Sprint(item)
			}
			values[key] = strings.Join(items, ",")
		default:
			values[key] = fmt.Sprint(value)
		}
		if !known {
			errs = append(errs, fmt.Errorf("%s: unknown setting %q (the settings: %s)", path, key, keys()))
		}
	}
	return values, errors.Join(errs...)
}

func keys() string {
	var all []string
	for _, s := range Settings() {
		all = append(all, s.Key)
	}
	return strings.Join(all, ", ")
}

func names(profiles map[string]any) string {
	if len(profiles) == 0 {
		return "none"
	}
	var all []string
	for name := range profiles {
		all = append(all, name)
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
