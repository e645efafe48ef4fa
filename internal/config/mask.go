package config

import (
	"net/url"
	"strings"
)

const masked = "***"

// mask hides a secret: the password of a URL or of a key=value connection string,
// and everything of any other value.
func mask(s string) string {
	if s == "" || isPath(s) {
		return s
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return masked
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), masked)
	}
	query := u.Query()
	for key := range query {
		if strings.Contains(strings.ToLower(key), "password") {
			query.Set(key, masked)
		}
	}
	u.RawQuery = query.Encode()
	return strings.ReplaceAll(u.String(), url.QueryEscape(masked), masked)
}

// isPath tells a SQLite file, which holds no secret, from a token.
func isPath(s string) bool {
	return strings.HasPrefix(s, "sqlite:") || strings.HasSuffix(s, ".db")
}
