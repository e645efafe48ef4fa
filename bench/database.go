package main

import (
	"context"

	"github.com/todoctl/todoctl/internal/store"
)

// A database is a kind of database with a peer on it. A name is that of one
// database: a file, or one of a server.
type database interface {
	name() string
	version(ctx context.Context) (string, error)
	url(name string) string
	guideURL(name string) string // as SQLAlchemy writes it
	// create makes an empty database.
	create(ctx context.Context, name string) error
	// clone copies a database that nobody uses, and replaces what was there.
	clone(ctx context.Context, from, to string) error
	drop(ctx context.Context, name string) error
	// settle has what earlier turns left to do done, so that the next one begins
	// as they did.
	settle(ctx context.Context) error
	peer() contender
	pids() map[string]int // the processes of its server
}

// migrate gives a database todoctl's tables.
func migrate(ctx context.Context, url string) error {
	s, err := store.Open(ctx, url, store.Options{})
	if err != nil {
		return err
	}
	return s.Close()
}

// prepare makes a database with todoctl's tables.
func prepare(ctx context.Context, db database, name string) error {
	if err := db.create(ctx, name); err != nil {
		return err
	}
	return migrate(ctx, db.url(name))
}
