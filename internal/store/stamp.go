package store

import (
	"fmt"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// A stamp scans a time: timestamptz of PostgreSQL, microseconds of SQLite, NULL.
type stamp struct{ t *time.Time }

// Scan implements sql.Scanner.
func (s *stamp) Scan(value any) error {
	var t time.Time
	switch v := value.(type) {
	case nil:
		s.t = nil
		return nil
	case int64:
		t = time.UnixMicro(v)
	case time.Time:
		t = v
	default:
		return fmt.Errorf("a time stored as %T", value)
	}
	t = task.Timestamp(t)
	s.t = &t
	return nil
}

// value is the time, zero for NULL.
func (s stamp) value() time.Time {
	if s.t == nil {
		return time.Time{}
	}
	return *s.t
}
