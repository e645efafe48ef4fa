package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// emptyDatabase is the file of a SQLite database, which onEach doesn't make.
func emptyDatabase(t *testing.T, url string) {
	t.Helper()
	path, file := strings.CutPrefix(url, "sqlite:")
	if !file {
		return
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSchemaBeforeAndAfterMigration(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		emptyDatabase(t, url)
		schema, err := ReadSchema(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		if schema.Version != 0 || schema.Known == 0 || len(schema.Pending) != schema.Known || schema.Applied != nil || schema.UpToDate() {
			t.Errorf("schema of an empty database: %+v", schema)
		}
		if _, err := OpenExisting(t.Context(), url, Options{}); !errors.Is(err, errBehind) {
			t.Errorf("open of an empty database: %v, want errBehind", err)
		}
		if again, err := ReadSchema(t.Context(), url); err != nil || again.Version != 0 {
			t.Errorf("after it was looked at: %+v, %v", again, err)
		}

		done, err := Migrate(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "steps", schema.Pending, done)
		if schema, err = ReadSchema(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		for i, m := range schema.Applied {
			if m.AppliedAt == "" || m.Name != done[i].Name || m.Version != i+1 {
				t.Errorf("applied %+v, want %+v with its time", m, done[i])
			}
		}
		if !schema.UpToDate() || len(schema.Applied) != len(done) || schema.Pending != nil {
			t.Errorf("after the migration: %+v", schema)
		}
		if done, err := Migrate(t.Context(), url); err != nil || done != nil {
			t.Errorf("second time: %v, %v; want nothing", done, err)
		}
		s, err := OpenExisting(t.Context(), url, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		change(t, s, create("u", "t"))
	})
}

func TestConcurrentMigrationsTakeEachStepOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		var steps atomic.Int64
		inParallel(8, func(int) {
			done, err := Migrate(context.Background(), url)
			if err != nil {
				t.Error(err)
			}
			steps.Add(int64(len(done)))
		})
		schema, err := ReadSchema(t.Context(), url)
		if err != nil || !schema.UpToDate() || int(steps.Load()) != schema.Known {
			t.Errorf("%d steps taken, %+v, %v; want each once", steps.Load(), schema, err)
		}
	})
}

func TestNewerSchemaIsShownAndRefused(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		mustExec(t, openStore(t, url), recordMigration, 99, "0099_future", appliedAt())
		schema, err := ReadSchema(t.Context(), url)
		if err != nil || schema.Version != 99 || schema.UpToDate() || schema.Pending != nil || len(schema.Applied) != schema.Known+1 {
			t.Errorf("newer schema: %+v, %v", schema, err)
		}
		_, migrateErr := Migrate(t.Context(), url)
		_, openErr := OpenExisting(t.Context(), url, Options{})
		for _, err := range []error{migrateErr, openErr} {
			if !errors.Is(err, errSchema) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), Describe(url)) {
				t.Errorf("%v, want one line that refuses it", err)
			}
		}
	})
}

// A step that fails leaves the database as it was.
func TestFailedMigrationChangesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		mustExec(t, s, "DROP TABLE outbox")
		mustExec(t, s, "DELETE FROM schema_migrations")
		before, err := ReadSchema(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		done, err := Migrate(t.Context(), url)
		if err == nil || done != nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("migrated %v, %v; want an error of one line: tasks is there already", done, err)
		}
		after, err := ReadSchema(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "schema", before, after)
	})
}

// Whoever only looks leaves nothing behind.
func TestMissingDatabaseStaysMissing(t *testing.T) {
	dir := t.TempDir()
	for url, want := range map[string]string{
		filepath.Join(dir, "todo.db"):                           "there is no such file",
		"sqlite:" + filepath.Join(dir, "none", "t"):             "there is no such file",
		replaceDatabase(t, needPostgres(t), "no_such_database"): "create the database",
	} {
		_, readErr := ReadSchema(t.Context(), url)
		_, openErr := OpenExisting(t.Context(), url, Options{})
		for _, err := range []error{readErr, openErr} {
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v, want one line with %q", url, err, want)
			}
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Somebody else's SQLite file isn't touched.
func TestForeignFileStaysAsItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "other.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE theirs (x)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenExisting(t.Context(), path, Options{}); !errors.Is(err, errBehind) {
		t.Errorf("open: %v, want errBehind", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !slices.Equal(before, after) {
		t.Errorf("the file has changed (%v)", err)
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a write-ahead log was left: %v", err)
	}
}
