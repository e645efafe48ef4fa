package doctor

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/test/pgserver"
)

// server runs a real PostgreSQL with these settings until the test ends.
func server(t *testing.T, settings ...string) *pgserver.Server {
	t.Helper()
	s, err := pgserver.New(t.Context())
	if errors.Is(err, pgserver.ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Remove() })
	if err := s.Start(t.Context(), settings...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// onPostgres are options of a machine with a broker and this database.
func onPostgres(t *testing.T, url string) Options {
	t.Helper()
	o, _, _ := broker(t, "", true)
	o.Database = Setting{Value: url, Source: "DATABASE_URL", Chosen: true}
	return o
}

// migrated makes the schema.
func migrated(t *testing.T, url string) {
	t.Helper()
	s, err := store.Open(t.Context(), url, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func psql(t *testing.T, url, statement string) {
	t.Helper()
	path, err := exec.LookPath("psql")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if out, err := exec.Command(path, "-d", url, "-v", "ON_ERROR_STOP=1", "-c", statement).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestPostgres(t *testing.T) {
	s := server(t)
	url := s.URL("postgres")
	migrated(t, url)
	t.Run("well", func(t *testing.T) { expect(t, examine(t, onPostgres(t, url))) })
	t.Run("35 no such database", func(t *testing.T) {
		r := examine(t, onPostgres(t, s.URL("todos")))
		expect(t, r, "database.open")
		if !strings.Contains(r.Findings[0].Message, "does not exist") {
			t.Error(r.Findings[0].Message)
		}
	})
	t.Run("35 the schema is newer", func(t *testing.T) {
		psql(t, url, "INSERT INTO schema_migrations (version, name, applied_at) SELECT max(version) + 1, 'later', max(applied_at) FROM schema_migrations")
		r := examine(t, onPostgres(t, url))
		expect(t, r, "database.schema")
		if !strings.Contains(r.Findings[0].Mend, "newer") {
			t.Error(r.Findings[0].Mend)
		}
	})
	t.Run("35 the schema is behind", func(t *testing.T) {
		psql(t, url, "DELETE FROM schema_migrations WHERE version > 1")
		r := examine(t, onPostgres(t, url))
		expect(t, r, "database.schema")
		if r.Findings[0].Mend != "todoctl migrate up" {
			t.Error(r.Findings[0].Mend)
		}
	})
	t.Run("35 it has died", func(t *testing.T) {
		s.Stop()
		expect(t, examine(t, onPostgres(t, url)), "database.open")
	})
}

func TestPostgresThatForgets(t *testing.T) {
	url := server(t, "fsync=off", "full_page_writes=off", "synchronous_commit=off").URL("postgres")
	migrated(t, url)
	t.Run("35 fsync is off", func(t *testing.T) {
		r := examine(t, onPostgres(t, url))
		expect(t, r, "database.durable")
		if want := "fsync and full_page_writes"; !strings.Contains(r.Findings[0].Message, want) {
			t.Errorf("%q lacks %q", r.Findings[0].Message, want)
		}
	})
}

func TestPostgresWithAPassword(t *testing.T) {
	dir, err := os.MkdirTemp("", "todoctl-hba") // the test's own is closed to the server's user
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	hba := filepath.Join(dir, "pg_hba.conf")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(hba, []byte("host all all 127.0.0.1/32 scram-sha-256\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	url := server(t, "hba_file="+hba).URL("postgres")
	t.Run("35 wrong password", func(t *testing.T) {
		r := examine(t, onPostgres(t, url))
		expect(t, r, "database.open")
		if !strings.Contains(r.Findings[0].Message, "password authentication failed") {
			t.Error(r.Findings[0].Message)
		}
	})
}
