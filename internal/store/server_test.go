package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/todoctl/todoctl/test/pgserver"
)

// dsnVariable names the PostgreSQL of the tests: given, or set by TestMain.
const dsnVariable = "TODOCTL_TEST_POSTGRES"

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if os.Getenv(dsnVariable) != "" {
		return m.Run()
	}
	server, err := startServer()
	if errors.Is(err, pgserver.ErrMissing) {
		return m.Run() // the tests that need it skip
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopServer(server)
	os.Setenv(dsnVariable, server.URL("postgres"))
	return m.Run()
}

func startServer() (*pgserver.Server, error) {
	ctx := context.Background()
	server, err := pgserver.New(ctx)
	if err != nil {
		return nil, err
	}
	return server, server.Start(ctx)
}

func stopServer(server *pgserver.Server) {
	server.Stop()
	if err := server.Remove(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// needPostgres returns the URL of the tests' server.
func needPostgres(t testing.TB) string {
	t.Helper()
	url := os.Getenv(dsnVariable)
	if url != "" {
		return url
	}
	why := pgserver.ErrMissing.Error() + ", and " + dsnVariable + " isn't set"
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip(why)
	return ""
}

// newDatabase makes an empty PostgreSQL database and returns its URL.
func newDatabase(t testing.TB) string {
	t.Helper()
	return databaseOn(t, needPostgres(t))
}

func databaseOn(t testing.TB, url string) string {
	t.Helper()
	ctx := context.Background()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	name := fmt.Sprintf("test_%d", time.Now().UnixNano())
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn, err := pgx.ConnectConfig(ctx, config)
		if err != nil {
			return // the server was stopped, and goes with its folder
		}
		defer conn.Close(ctx)
		if _, err := conn.Exec(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return replaceDatabase(t, url, name)
}
