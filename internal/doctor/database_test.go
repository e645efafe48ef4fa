package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/store"
	"github.com/todoctl/todoctl/internal/task"
)

func TestDatabase(t *testing.T) {
	t.Run("35 PostgreSQL is down", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		o.Database = Setting{Value: "postgres://todo:secret@127.0.0.1:1/todo", Source: "DATABASE_URL", Chosen: true}
		expect(t, examine(t, o), "database.open")
	})
	t.Run("35 no database", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		if err := os.WriteFile(o.Database.Value, []byte("this is no database, it only has its name, and it is long enough to be read as a header"), 0o600); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "database.open")
	})
	t.Run("well", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		openStore(t, o, time.Now)
		expect(t, examine(t, o))
	})
	t.Run("30 events wait", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		s := openStore(t, o, func() time.Time { return time.Now().Add(-time.Hour) })
		title := "Buy groceries"
		if _, err := s.Change(t.Context(), task.Change{UserID: "u1", Patch: task.Patch{Title: &title}}); err != nil {
			t.Fatal(err)
		}
		expect(t, examine(t, o), "events.outbox")
	})
	t.Run("30 an event is parked", func(t *testing.T) {
		o, _, _ := broker(t, "", true)
		s := openStore(t, o, time.Now)
		title := "Buy groceries"
		if _, err := s.Change(t.Context(), task.Change{UserID: "u1", Patch: task.Patch{Title: &title}}); err != nil {
			t.Fatal(err)
		}
		heads, err := s.Heads(t.Context(), 1)
		if err != nil || len(heads) == 0 {
			t.Fatalf("heads: %v, %v", heads, err)
		}
		if err := s.MarkFailed(t.Context(), []task.Failure{{Row: heads[0].Row, Reason: "too large", Park: true}}); err != nil {
			t.Fatal(err)
		}
		r := examine(t, o)
		expect(t, r, "events.outbox")
		if !strings.Contains(r.Findings[0].Mend, "outbox retry") || !strings.Contains(r.Findings[0].Message, "parked") {
			t.Errorf("%s; %s", r.Findings[0].Message, r.Findings[0].Mend)
		}
	})
}

func openStore(t *testing.T, o Options, now func() time.Time) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Clean(o.Database.Value), store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
