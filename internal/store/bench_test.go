package store

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/todoctl/todoctl/internal/task"
)

const clients = 64

// BenchmarkChange compares group commit with one transaction a write, with 64
// clients that each wait for their answer. Compare changes/s.
func BenchmarkChange(b *testing.B) {
	for name, url := range benchDatabases(b) {
		b.Run(name+"/grouped", func(b *testing.B) {
			s := openStore(b, url)
			drive(b, func(c task.Change) error {
				_, err := s.Change(context.Background(), c)
				return err
			})
		})
		b.Run(name+"/alone", func(b *testing.B) { benchAlone(b, url) })
	}
}

func benchDatabases(b *testing.B) map[string]string {
	return map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(b.TempDir(), "bench.db"),
		"postgres": newDatabase(b),
	}
}

// benchAlone writes each change in a transaction of its own: SQLite allows one at
// a time, on PostgreSQL each client has a store and thus a connection.
func benchAlone(b *testing.B, url string) {
	n := 1
	if at, _ := parseAddress(url); at.postgres != "" {
		n = clients
	}
	idle := make(chan *Store, n)
	for range n {
		idle <- openStore(b, url)
	}
	drive(b, func(c task.Change) error {
		s := <-idle
		defer func() { idle <- s }()
		r := &request{change: &c}
		s.write(context.Background(), []*request{r})
		return r.err
	})
}

func drive(b *testing.B, do func(task.Change) error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	b.ResetTimer()
	inParallel(clients, func(i int) {
		for left.Add(-1) >= 0 {
			if err := do(create(fmt.Sprintf("user%d", i), "Buy groceries for the week")); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
}
