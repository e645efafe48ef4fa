//go:build unix

package faults

import (
	"context"
	"errors"
	"net/url"
	"path/filepath"
	"sync"
	"testing"

	"github.com/todoctl/todoctl/test/faults/checker"
	"github.com/todoctl/todoctl/test/pgserver"
)

// A database is what the replicas share.
type database struct {
	url    string            // as todoctl gets it
	reader *checker.Database // past todoctl and past the proxy

	// Of PostgreSQL, nil with SQLite.
	server *pgserver.Server
	proxy  *proxy
	mu     sync.Mutex // held while the server is stopped and started

	// Of SQLite: its disk, when one could be mounted that can be filled.
	disk *smallDisk
}

// newSQLite makes a database file, on a disk of its own where that is possible.
func newSQLite(t *testing.T, dir string) *database {
	t.Helper()
	d := &database{disk: newSmallDisk(t, filepath.Join(dir, "disk"))}
	if d.disk != nil {
		dir = d.disk.dir
	}
	path := filepath.Join(dir, "todo.db")
	d.url = "sqlite:" + path
	d.read(t, path)
	return d
}

// newPostgres runs a server behind a proxy.
func newPostgres(t *testing.T) *database {
	t.Helper()
	server, err := pgserver.New(t.Context())
	if errors.Is(err, pgserver.ErrMissing) {
		missing(t, err.Error())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Remove(); err != nil {
			t.Error(err)
		}
	})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	direct := server.URL("postgres")
	u, err := url.Parse(direct)
	if err != nil {
		t.Fatal(err)
	}
	d := &database{server: server, proxy: newProxy(t, u.Host)}
	u.Host = d.proxy.addr()
	d.url = u.String()
	d.read(t, direct)
	return d
}

func (d *database) read(t *testing.T, address string) {
	t.Helper()
	reader, err := checker.OpenDatabase(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { reader.Close() })
	d.reader = reader
}

// crash stops PostgreSQL at once and starts it again after a while.
func (d *database) crash(ctx context.Context, down func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server.Stop()
	down()
	return d.server.Start(context.WithoutCancel(ctx))
}
