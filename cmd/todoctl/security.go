package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/todoctl/todoctl/internal/config"
	"github.com/todoctl/todoctl/internal/kafka"
)

// kafkaSecurity reads the files that the settings name and sees to it that all fits
// together, before anything is dialed. A file turns TLS on, unless tls is set to
// false. Its errors are usage errors.
func kafkaSecurity(cfg *config.Config) (kafka.Security, error) {
	s := kafka.Security{
		TLS: cfg.Bool("tls"), Mechanism: strings.ToLower(cfg.Get("sasl-mechanism")), User: cfg.Get("sasl-user"),
	}
	for key, content := range map[string]*[]byte{"tls-ca": &s.CA, "tls-cert": &s.Cert, "tls-key": &s.Key} {
		var err error
		if *content, err = settingFile(cfg, key); err != nil {
			return s, err
		}
		if !cfg.Chosen("tls") && len(*content) > 0 {
			s.TLS = true
		}
	}
	var err error
	if s.Password, err = saslPassword(cfg); err != nil {
		return s, err
	}
	if err := checkLogin(cfg, s); err != nil {
		return s, err
	}
	for key, other := range map[string]string{"tls-cert": "tls-key", "tls-key": "tls-cert"} {
		if cfg.Get(key) != "" && cfg.Get(other) == "" {
			return s, usagef("%s (from %s) needs --%s as well: a certificate and its key go together", key, cfg.Source(key), other)
		}
	}
	if err := s.Check(); err != nil {
		return s, usageError{fmt.Errorf("%w (%s)", err, namedFiles(cfg))}
	}
	return s, nil
}

// checkLogin tells which part of a login is missing, in the words of the settings.
func checkLogin(cfg *config.Config, s kafka.Security) error {
	switch {
	case s.Mechanism == "" && s.User != "":
		return usagef("sasl-user %q (from %s) needs --sasl-mechanism as well: %s", s.User, cfg.Source("sasl-user"), strings.Join(kafka.Mechanisms(), ", "))
	case s.Mechanism == "" && s.Password != "":
		return usagef("a SASL password is set, and neither --sasl-mechanism nor --sasl-user")
	case s.Mechanism != "" && s.User == "":
		return usagef("sasl-mechanism %s (from %s) needs --sasl-user as well", s.Mechanism, cfg.Source("sasl-mechanism"))
	case s.Mechanism != "" && s.Password == "":
		return usagef("sasl-user %q (from %s) has no password: put it into TODOCTL_SASL_PASSWORD, or into a file and name that with --sasl-password-file FILE", s.User, cfg.Source("sasl-user"))
	}
	return nil
}

// saslPassword is that of the settings or of the file which they name, without the end
// of its line.
func saslPassword(cfg *config.Config) (string, error) {
	password := cfg.Get("sasl-password")
	text, err := settingFile(cfg, "sasl-password-file")
	switch {
	case err != nil || text == nil:
		return password, err
	case password != "":
		return "", usagef("there are two SASL passwords, sasl-password from %s and sasl-password-file from %s: give one", cfg.Source("sasl-password"), cfg.Source("sasl-password-file"))
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 || bytes.ContainsAny(text, "\r\n") {
		return "", usagef("sasl-password-file %s (from %s) must hold the password on one line", cfg.Get("sasl-password-file"), cfg.Source("sasl-password-file"))
	}
	return string(text), nil
}

// settingFile is the content of a file that a setting names, or nil.
func settingFile(cfg *config.Config, key string) ([]byte, error) {
	path := cfg.Get(key)
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	var failed *os.PathError
	if errors.As(err, &failed) {
		return nil, usagef("%s %s (from %s): %w", key, path, cfg.Source(key), failed.Err)
	}
	if err == nil && len(text) == 0 && key != "sasl-password-file" {
		err = usagef("%s %s (from %s): the file is empty", key, path, cfg.Source(key))
	}
	return text, err
}

// namedFiles are the TLS files in use, for an error.
func namedFiles(cfg *config.Config) string {
	var names []string
	for _, key := range []string{"tls-ca", "tls-cert", "tls-key"} {
		if path := cfg.Get(key); path != "" {
			names = append(names, fmt.Sprintf("%s %s from %s", key, path, cfg.Source(key)))
		}
	}
	return strings.Join(names, ", ")
}
