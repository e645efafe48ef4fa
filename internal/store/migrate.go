package store

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

//go:embed migrations
var migrationFiles embed.FS

var errSchema = errors.New("made by a newer todoctl")

// A migration is one step of the schema. Steps only go up, are numbered from 1
// without gaps, and never change once released.
type migration struct {
	version int
	name    string
	sql     string
}

// migrations are the steps for a kind of database, in order.
func migrations(kind string) ([]migration, error) {
	entries, err := fs.ReadDir(migrationFiles, path.Join("migrations", kind))
	if err != nil {
		return nil, err
	}
	var list []migration
	for _, entry := range entries {
		text, err := fs.ReadFile(migrationFiles, path.Join("migrations", kind, entry.Name()))
		if err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(entry.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil || version != len(list)+1 {
			return nil, fmt.Errorf("migration %s: its number must be %d", entry.Name(), len(list)+1)
		}
		list = append(list, migration{version, strings.TrimSuffix(entry.Name(), ".sql"), string(text)})
	}
	return list, nil
}

// pending are the steps that a database at a version lacks. A database that a
// newer todoctl has migrated is refused.
func pending(list []migration, version int) ([]migration, error) {
	if version > len(list) {
		return nil, newer(version, len(list))
	}
	return list[version:], nil
}

// newer refuses a schema of a version that this todoctl doesn't know.
func newer(version, known int) error {
	return fmt.Errorf("its schema has version %d, %w; this one knows versions up to %d: use the newer one", version, errSchema, known)
}

const (
	createMigrations = `CREATE TABLE schema_migrations (
		version bigint PRIMARY KEY, name text NOT NULL, applied_at text NOT NULL)`
	currentVersion  = "SELECT coalesce(max(version), 0) FROM schema_migrations"
	recordMigration = "INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)"
)

// appliedAt is the moment for schema_migrations, where people read it.
func appliedAt() string { return time.Now().UTC().Format(time.RFC3339) }
