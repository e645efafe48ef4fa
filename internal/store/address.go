package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// An address says which database a URL names.
type address struct {
	postgres string // the URL, when it is PostgreSQL
	path     string // of the file, when it is SQLite
}

const addressForms = "write sqlite:PATH or postgres://user:password@host:5432/name"

func parseAddress(url string) (address, error) {
	scheme, rest, hasScheme := strings.Cut(url, "://")
	switch {
	case url == "":
		return address{}, errors.New("no database is named: " + addressForms)
	case hasScheme && (scheme == "postgres" || scheme == "postgresql"):
		return address{postgres: url}, nil
	case hasScheme && scheme == "sqlite":
		return fileAddress(rest)
	case strings.HasPrefix(url, "sqlite:"):
		return fileAddress(strings.TrimPrefix(url, "sqlite:"))
	case hasScheme:
		return address{}, fmt.Errorf("databases of the kind %q aren't known: %s", scheme, addressForms)
	default:
		return fileAddress(url)
	}
}

func fileAddress(path string) (address, error) {
	if path == "" || path == ":memory:" {
		return address{}, errors.New("a SQLite database needs a file: write sqlite:PATH")
	}
	return address{path: path}, nil
}

// Describe names the database of a URL for people: "PostgreSQL host:port/db" or
// "SQLite path", without user and password.
func Describe(url string) string {
	at, err := parseAddress(url)
	switch {
	case err != nil:
		return "unknown database"
	case at.path != "":
		return "SQLite " + at.path
	}
	config, err := pgconn.ParseConfig(at.postgres)
	if err != nil {
		return "PostgreSQL"
	}
	return describePostgres(config)
}

func describePostgres(config *pgconn.Config) string {
	name := config.Database
	if name == "" {
		name = config.User
	}
	return fmt.Sprintf("PostgreSQL %s:%d/%s", config.Host, config.Port, name)
}
