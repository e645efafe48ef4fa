package store

import (
	"encoding/base64"
	"testing"
	"time"

	"github.com/todoctl/todoctl/internal/task"
)

func FuzzParseCursor(f *testing.F) {
	t := task.Task{ID: 7, Title: "Émile", Priority: task.High, CreatedAt: time.Unix(1, 0), UpdatedAt: time.Unix(2, 0)}
	for _, sort := range task.SortFields() {
		f.Add(cursorAt(t, sort, true).String(), sort, true)
		f.Add(cursorAt(t, sort, false).String(), sort, false)
	}
	for _, text := range []string{`{}`, `null`, `{"s":"title","t":"\u0000","i":1}`, `{"s":"id","i":1,"i":2}`,
		`{"s":"created_at","n":9223372036854775807,"i":1}`, `{"s":"title","t":"\ufffd","i":-1}`} {
		f.Add(base64.RawURLEncoding.EncodeToString([]byte(text)), "title", false)
	}
	f.Add("", "id", false)
	f.Add("not base64!", "id", false)
	f.Fuzz(func(t *testing.T, s, sort string, desc bool) {
		c, err := parseCursor(s, sort, desc)
		if err != nil {
			return
		}
		if c.String() != s || c.Sort != sort || c.Desc != desc {
			t.Errorf("%q was read as %+v, which is %q", s, *c, c)
		}
		if !isText(c.Text) {
			t.Errorf("%q holds the text %q, which no database takes", s, c.Text)
		}
		if at, ok := c.value().(time.Time); ok && (at.Year() < 0 || at.Year() > 9999) {
			t.Errorf("%q holds the year %d", s, at.Year())
		}
	})
}
