//go:build unix

package faults

import (
	"context"
	"errors"
	"net/url"
	"os"
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

	direct string // past todoctl: a URL or a file

	disk *smallDisk // when one could be mounted that can be filled
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
	d.direct = path
	d.read(t, path)
	return d
}

// openDisk is a small disk that other users may use; nil where none can be mounted.
func openDisk(t *testing.T) *smallDisk {
	t.Helper()
	parent, err := os.MkdirTemp("", "todoctl-disk-") // not below a test's own: that is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // nothing is kept: the server is gone with its files
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(parent, 0o755); err != nil {
		t.Fatal(err)
	}
	return newSmallDisk(t, filepath.Join(parent, "disk"))
}

// newPostgres runs a server behind a proxy, on a disk of its own where that is possible.
func newPostgres(t *testing.T) *database {
	t.Helper()
	disk, parent := openDisk(t), ""
	if disk != nil {
		parent = disk.dir
	}
	server, err := pgserver.NewIn(t.Context(), parent)
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
	d := &database{server: server, proxy: newProxy(t, u.Host), disk: disk, direct: direct}
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

// revive starts a PostgreSQL again that has ended by itself, as it does when it can't
// recover on a full disk.
func (d *database) revive(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.server == nil || d.server.Runs() {
		return nil
	}
	return d.server.Start(context.WithoutCancel(ctx))
}

// crash stops PostgreSQL at once and starts it again after a while.
func (d *database) crash(ctx context.Context, down func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.server.Stop()
	down()
	return d.server.Start(context.WithoutCancel(ctx))
}
