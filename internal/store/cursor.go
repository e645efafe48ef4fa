package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

// maxCursor is the longest cursor, in bytes: the longest title, and some.
const maxCursor = 4096

var errCursor = errors.New("isn't one of this API for this sort order: leave it out for the first page")

// A cursor is a place between two tasks in one sort order: after the task with
// this value in the sort's column and this id.
type cursor struct {
	Sort   string `json:"s"`
	Desc   bool   `json:"d,omitempty"`
	Text   string `json:"t,omitempty"` // of title
	Number int64  `json:"n,omitempty"` // of priority, and of times in microseconds
	Null   bool   `json:"z,omitempty"` // no due date
	ID     int64  `json:"i"`
}

// cursorAt is the place after t.
func cursorAt(t task.Task, sort string, desc bool) cursor {
	c := cursor{Sort: sort, Desc: desc, ID: t.ID}
	switch sort {
	case "created_at":
		c.Number = t.CreatedAt.UnixMicro()
	case "updated_at":
		c.Number = t.UpdatedAt.UnixMicro()
	case "due_date":
		c.Null = t.DueDate == nil
		if !c.Null {
			c.Number = t.DueDate.UnixMicro()
		}
	case "priority":
		c.Number = int64(t.Priority.Rank())
	case "title":
		c.Text = lower(t.Title)
	}
	return c
}

// String is the cursor as clients see it.
func (c cursor) String() string {
	text, _ := json.Marshal(c) // strings and numbers always have a JSON form
	return base64.RawURLEncoding.EncodeToString(text)
}

// parseCursor takes what String made for this sort order, and nothing else.
func parseCursor(s, sort string, desc bool) (*cursor, error) {
	if len(s) > maxCursor {
		return nil, errCursor
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, errCursor
	}
	var c cursor
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, errCursor
	}
	// Only our own spelling: no unknown, doubled or reordered fields.
	if same, _ := json.Marshal(c); !bytes.Equal(same, text) || c.Sort != sort || c.Desc != desc || !c.valid() {
		return nil, errCursor
	}
	return &c, nil
}

// valid keeps out what no database could compare.
func (c cursor) valid() bool {
	year := time.UnixMicro(c.Number).UTC().Year()
	return isText(c.Text) && year >= 0 && year <= 9999
}

// value is the value in the sort's column.
func (c cursor) value() any {
	switch c.Sort {
	case "title":
		return c.Text
	case "priority":
		return c.Number
	default:
		return time.UnixMicro(c.Number).UTC()
	}
}
