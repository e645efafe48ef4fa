package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestConcurrentOpensMigrateOnce(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		const replicas = 8
		var stores [replicas]*Store
		inParallel(replicas, func(i int) {
			s, err := Open(context.Background(), url, Options{})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			stores[i] = s
			if _, err := s.Change(context.Background(), create("u", "t")); err != nil {
				t.Errorf("change: %v", err)
			}
		})
		for _, s := range stores {
			if s != nil {
				defer s.Close()
			}
		}
		if t.Failed() {
			return
		}
		if n := number(t, stores[0], "SELECT count(*) - max(version) FROM schema_migrations"); n != 0 {
			t.Errorf("%d migrations too many are recorded", n)
		}
		if n := number(t, stores[0], "SELECT count(*) FROM tasks"); n != replicas {
			t.Errorf("%d tasks, want %d", n, replicas)
		}
	})
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, url string) {
		s := openStore(t, url)
		mustExec(t, s, recordMigration, 99, "0099_future", appliedAt())
		_, err := Open(t.Context(), url, Options{})
		if !errors.Is(err, errSchema) || !strings.Contains(err.Error(), Describe(url)) || !strings.Contains(err.Error(), "version 99") {
			t.Errorf("open: %v, want a refusal that names the database and version 99", err)
		}
	})
}

func TestBothDatabasesHaveTheSameMigrations(t *testing.T) {
	var versions [2]int
	for i, kind := range []string{"sqlite", "postgres"} {
		list, err := migrations(kind)
		if err != nil {
			t.Fatal(err)
		}
		versions[i] = len(list)
	}
	if versions[0] != versions[1] || versions[0] == 0 {
		t.Errorf("%d migrations for SQLite, %d for PostgreSQL", versions[0], versions[1])
	}
}

func TestOpenExplains(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"":                                 "no database is named",
		"sqlite:":                          "needs a file",
		":memory:":                         "needs a file",
		"mysql://u:s3cret@h/db":            `"mysql" aren't known`,
		"sqlite:" + dir + "/no/such/t.db":  "create the folder " + dir + "/no/such",
		"sqlite:" + dir:                    "is a directory",
		"sqlite:" + text + "/t.db":         "not a directory",
		text:                               "isn't a SQLite database",
		"postgres://u:s3cret@[::1/db":      "percent-encoded",
		"postgres://u:s3cret@h:port/db":    "percent-encoded",
		"postgres://u:s3cret@127.0.0.1:1/": "check that PostgreSQL runs there",
	} {
		s, err := Open(t.Context(), url, Options{})
		if err == nil {
			s.Close()
			t.Errorf("%q was opened", url)
			continue
		}
		if got := err.Error(); !strings.Contains(got, want) || strings.Contains(got, "s3cret") || strings.Contains(got, "\n") {
			t.Errorf("%q: %q, want one line with %q and no password", url, got, want)
		}
	}
}

func TestOpenExplainsPostgres(t *testing.T) {
	url := newDatabase(t)
	for bad, want := range map[string]string{
		replaceDatabase(t, url, "no_such"):                   "create the database",
		url + "&default_transaction_read_only=on":            "name the primary",
		strings.Replace(url, "//todoctl:", "//stranger:", 1): "check the user",
	} {
		_, err := Open(t.Context(), bad, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v, want %q and no password", err, want)
		}
	}
}

func TestOpenUnwritable(t *testing.T) {
	dir, err := os.MkdirTemp("", "todoctl-unwritable") // not below a test's own: that is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "todo.db")
	s := openStore(t, path)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	defer leaveRoot(t, dir, path)()
	for _, target := range []string{path, dir} {
		if err := os.Chmod(target, 0o500); err != nil {
			t.Fatal(err)
		}
		_, err := Open(t.Context(), path, Options{})
		if err == nil || !strings.Contains(err.Error(), "must be writable") {
			t.Errorf("open with %s read-only: %v", target, err)
		}
		if err := os.Chmod(target, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenForms(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain.db", "with space?and#odd%41.db"} {
		path := filepath.Join(dir, name)
		for _, url := range []string{path, "sqlite:" + path, "sqlite://" + path} {
			change(t, openStore(t, url), create("u", url))
			if got := Describe(url); got != "SQLite "+path {
				t.Errorf("Describe(%q) = %q", url, got)
			}
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("%s has mode %v: others can read it", name, mode)
		}
		if n := number(t, openStore(t, path), "SELECT count(*) FROM tasks"); n != 3 {
			t.Errorf("%s holds %d tasks, want 3", name, n)
		}
	}
	for url, want := range map[string]string{
		"postgres://u:s3cret@db.example:6543/todo?sslmode=require": "PostgreSQL db.example:6543/todo",
		"postgres://u:s3cret@[bad":                                 "PostgreSQL",
		"mysql://u:s3cret@h/db":                                    "unknown database",
	} {
		if got := Describe(url); got != want {
			t.Errorf("Describe(%q) = %q, want %q", url, got, want)
		}
	}
}
