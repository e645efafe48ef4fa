//go:build unix

package main

import (
	"context"
	"errors"
	"os"
	"slices"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
	"github.com/todoctl/todoctl/test/pgserver"
)

// postgres: starts a PostgreSQL server and sets POSTGRES to its empty database.
func postgres(ts *testscript.TestScript, _ bool, _ []string) {
	ctx := context.Background()
	server, err := pgserver.New(ctx)
	if errors.Is(err, pgserver.ErrMissing) && os.Getenv("CI") == "" {
		ts.Value("t").(testscript.T).Skip(err.Error())
	}
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Remove()) })
	ts.Check(server.Start(ctx))
	ts.Defer(server.Stop)
	ts.Setenv("POSTGRES", server.URL("postgres"))
}

// park DATABASE TASK REASON: parks the task's first event, as a relay does after ten
// refusals, which takes it six minutes.
func park(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	database := args[0]
	if database != ts.Getenv("POSTGRES") {
		database = ts.MkAbs(database)
	}
	db, err := store.OpenExisting(ctx, database, store.Options{})
	ts.Check(err)
	defer db.Close()
	heads, err := db.Heads(ctx, 100)
	ts.Check(err)
	i := slices.IndexFunc(heads, func(e task.Event) bool { return e.Key() == args[1] })
	if i < 0 {
		ts.Fatalf("task %s has no event that could be published", args[1])
	}
	ts.Check(db.MarkFailed(ctx, []task.Failure{{Row: heads[i].Row, Reason: args[2], Park: true}}))
}
