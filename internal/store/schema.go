package store

import (
	"context"
	"errors"
	"fmt"
)

var errBehind = errors.New("'todoctl migrate up' brings it up to date")

// A Schema is how far the tables of a database are from those of this todoctl.
type Schema struct {
	Version int         // of the database; 0: it has none of our tables
	Known   int         // the newest version that this todoctl knows
	Applied []Migration // in order
	Pending []Migration // in order
}

// A Migration is a step of the schema.
type Migration struct {
	Version   int
	Name      string
	AppliedAt string // RFC 3339, "" for a pending one
}

// UpToDate reports whether this todoctl can use the database as it is.
func (s Schema) UpToDate() bool { return s.Version == s.Known }

// ReadSchema looks at the database that url names. It creates and changes nothing;
// one that isn't there is an error.
func ReadSchema(ctx context.Context, url string) (Schema, error) {
	at, err := parseAddress(url)
	if err != nil {
		return Schema{}, err
	}
	var db database
	if at.path != "" {
		file := &sqliteDB{path: at.path}
		db, err = file, file.connect(asItIs)
		if err != nil {
			return Schema{}, file.explain(err)
		}
	} else if db, err = connectPostgres(ctx, at.postgres); err != nil {
		return Schema{}, err
	}
	schema, err := readSchema(ctx, db)
	if err != nil {
		err = db.explain(err)
	}
	return schema, errors.Join(err, db.close())
}

func readSchema(ctx context.Context, db database) (Schema, error) {
	d := db.dialect()
	steps, err := migrations(d.kind)
	if err != nil {
		return Schema{}, err
	}
	schema := Schema{Known: len(steps)}
	var exists bool
	err = db.read(ctx, query{sql: d.hasSchema, row: func(scan scanner) error { return scan(&exists) }})
	if err == nil && exists {
		err = db.read(ctx, query{
			sql: "SELECT version, name, applied_at FROM schema_migrations ORDER BY version",
			row: func(scan scanner) error {
				var m Migration
				err := scan(&m.Version, &m.Name, &m.AppliedAt)
				schema.Applied = append(schema.Applied, m)
				schema.Version = m.Version
				return err
			},
		})
	}
	if err != nil {
		return Schema{}, err
	}
	if todo, err := pending(steps, schema.Version); err == nil { // a newer one lacks nothing
		schema.Pending = described(todo)
	}
	return schema, nil
}

func described(steps []migration) []Migration {
	var list []Migration
	for _, m := range steps {
		list = append(list, Migration{Version: m.version, Name: m.name})
	}
	return list
}

// checkSchema refuses a database that this todoctl can't use as it is.
func checkSchema(ctx context.Context, db database) error {
	schema, err := readSchema(ctx, db)
	if err != nil || schema.UpToDate() {
		return err
	}
	if schema.Version < schema.Known {
		return fmt.Errorf("its schema has version %d, this todoctl needs %d: %w", schema.Version, schema.Known, errBehind)
	}
	return newer(schema.Version, schema.Known)
}

// Migrate brings the schema of the database that url names up to date and returns
// the steps that it took; of several callers at once one takes them and the others
// wait, as long as ctx lasts. A SQLite file that isn't there is created. A schema
// that a newer todoctl has made is an error, and stays as it is.
func Migrate(ctx context.Context, url string) ([]Migration, error) {
	at, err := parseAddress(url)
	if err != nil {
		return nil, err
	}
	if at.path != "" {
		return migrateFile(ctx, at.path)
	}
	p, err := connectPostgres(ctx, at.postgres)
	if err != nil {
		return nil, err
	}
	done, err := migratePostgres(ctx, p.reads.Config().ConnConfig)
	if err != nil {
		return nil, errors.Join(p.explain(err), p.close())
	}
	return described(done), p.close()
}

func migrateFile(ctx context.Context, path string) ([]Migration, error) {
	db := &sqliteDB{path: path}
	if err := db.connect(makeSchema); err != nil {
		return nil, db.explain(err)
	}
	done, err := migrateSQLite(ctx, db.writer)
	if err != nil {
		return nil, errors.Join(db.explain(err), db.close())
	}
	return described(done), db.close()
}

// ReadRisks names the settings of a PostgreSQL server under which it can lose what it
// has committed, or its files, when the machine fails, such as "fsync"; all are off.
// synchronous_commit is none of them: the store's own writes turn it on.
func ReadRisks(ctx context.Context, url string) ([]string, error) {
	at, err := parseAddress(url)
	if err != nil || at.path != "" {
		return nil, err
	}
	db, err := connectPostgres(ctx, at.postgres)
	if err != nil {
		return nil, err
	}
	var list []string
	err = db.read(ctx, query{
		sql: "SELECT name FROM pg_settings WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name",
		row: func(scan scanner) error {
			var name string
			err := scan(&name)
			list = append(list, name)
			return err
		},
	})
	if err != nil {
		err = db.explain(err)
	}
	return list, errors.Join(err, db.close())
}
