package main

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	_ "modernc.org/sqlite" // the driver
)

// sqliteFiles are SQLite files in the folder of the rig.
type sqliteFiles struct{ rig *rig }

func (*sqliteFiles) name() string { return "SQLite" }

func (f *sqliteFiles) version(ctx context.Context) (version string, err error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&version)
	return "SQLite " + version, err
}

func (f *sqliteFiles) path(name string) string { return filepath.Join(f.rig.dir, name+".db") }

func (f *sqliteFiles) url(name string) string { return "sqlite:" + f.path(name) }

func (f *sqliteFiles) guideURL(name string) string { return "sqlite+aiosqlite:///" + f.path(name) }

// create has nothing to do: who opens the file makes it.
func (*sqliteFiles) create(context.Context, string) error { return nil }

func (f *sqliteFiles) clone(ctx context.Context, from, to string) error {
	if err := f.drop(ctx, to); err != nil {
		return err
	}
	source, err := os.Open(f.path(from))
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.Create(f.path(to))
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Sync(), target.Close())
}

func (f *sqliteFiles) drop(_ context.Context, name string) error {
	var errs []error
	for _, ending := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(f.path(name) + ending); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (*sqliteFiles) settle(context.Context) error { return nil }

func (*sqliteFiles) pids() map[string]int { return nil }

// peer writes the same two rows in a transaction of their own, in the same tables,
// in a process of its own.
func (f *sqliteFiles) peer() contender {
	return contender{"one transaction a change", func(ctx context.Context) (turn, error) {
		var t tally
		took, err := f.rig.ask(ctx, &t, "child-sqlite", f.path(peerName), strconv.Itoa(f.rig.clients), warm.String(), f.rig.round.String())
		if err != nil {
			return turn{}, err
		}
		return turn{rate: t.Rate, cpu: map[string]float64{"server": microseconds(took, t.All)}}, nil
	}}
}
