package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/todoctl/todoctl/internal/task"
)

// A query is one SELECT; row is called for each row of its answer. The
// placeholders are $1, $2, … on every database.
type query struct {
	sql  string
	args []any
	row  func(scanner) error
}

// A scanner copies the columns of a row, as the Scan methods of pgx and
// database/sql do.
type scanner func(into ...any) error

// A dialect is the SQL that differs between the databases. ? is a value.
type dialect struct {
	kind       string // the folder of its migrations
	hasSchema  string // whether schema_migrations is there
	contains   string // the column named first holds the text, literally
	hasTags    string // tags has all in a JSON array
	without    string // o.id is none of the list $5
	skipLocked string // leaves out the rows that another transaction holds
	list       func([]int64) any
}

// Task returns a user's task, or task.ErrNotFound.
func (s *Store) Task(ctx context.Context, userID string, id int64) (task.Task, error) {
	if !isText(userID) {
		return task.Task{}, task.ErrNotFound
	}
	var found []task.Task
	err := s.read(ctx, "read task", query{
		sql:  "SELECT " + taskColumns + " FROM tasks WHERE user_id = $1 AND id = $2",
		args: []any{userID, id},
		row:  collectTask(&found),
	})
	switch {
	case err != nil:
		return task.Task{}, err
	case len(found) == 0:
		return task.Task{}, task.ErrNotFound
	}
	return found[0], nil
}

// Tasks returns a page of a user's tasks. due_after takes in the moment itself,
// due_before doesn't. Tasks that come or go between two pages neither repeat nor
// hide others. A query that makes no sense gives an *task.InvalidError.
func (s *Store) Tasks(ctx context.Context, userID string, q task.Query) (task.Page, error) {
	if q.Now.IsZero() {
		q.Now = s.now()
	}
	if q.Sort == "" {
		q.Sort, q.Desc = "created_at", true
	}
	if q.Limit <= 0 || q.Limit > task.MaxPage {
		q.Limit = task.MaxPage
	}
	c, err := check(userID, q)
	if err != nil {
		return task.Page{}, err
	}
	var page task.Page
	total := selection(userID, q, s.db.dialect())
	rest := selection(userID, q, s.db.dialect())
	if c != nil {
		rest.after(*c)
	}
	err = s.read(ctx, "read tasks",
		query{sql: "SELECT count(*) FROM tasks" + total.sql(), args: total.args, row: func(scan scanner) error {
			return scan(&page.Total)
		}},
		query{
			sql: fmt.Sprintf("SELECT %s FROM tasks%s ORDER BY %s LIMIT %d",
				taskColumns, rest.sql(), order(q.Sort, q.Desc), q.Limit+1),
			args: rest.args,
			row:  collectTask(&page.Tasks),
		})
	if err != nil {
		return task.Page{}, err
	}
	if len(page.Tasks) > q.Limit {
		page.Tasks = page.Tasks[:q.Limit]
		page.Next = cursorAt(page.Tasks[q.Limit-1], q.Sort, q.Desc).String()
	}
	return page, nil
}

// check reports what is wrong with a query and reads its cursor; nil means the
// first page.
func check(userID string, q task.Query) (*cursor, error) {
	var problems []task.Problem
	add := func(field, format string, args ...any) {
		problems = append(problems, task.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	switch q.Status {
	case "", "all", "pending", "completed":
	default:
		add("status", "must be all, pending or completed, not %q", q.Status)
	}
	if q.Priority != "" && q.Priority.Rank() < 0 {
		add("priority", "must be low, medium, high or urgent, not %q", q.Priority)
	}
	if !isText(userID) || !isText(q.Search) || !isText(strings.Join(q.Tags, "")) {
		add("query", "must be valid UTF-8 without NUL characters")
	}
	if sortColumn(q.Sort) == "" {
		add("sort", "must be one of %s, not %q", strings.Join(task.SortFields(), ", "), q.Sort)
	}
	var c *cursor
	if q.Cursor != "" {
		var err error
		if c, err = parseCursor(q.Cursor, q.Sort, q.Desc); err != nil {
			add("cursor", "%v", err)
		}
	}
	if problems != nil {
		return nil, &task.InvalidError{Problems: problems}
	}
	return c, nil
}

// sortColumn is the column that a sort field orders by, "" for an unknown one.
func sortColumn(field string) string {
	switch field {
	case "created_at", "updated_at", "due_date", "priority", "id":
		return field
	case "title":
		return "title_lower"
	default:
		return ""
	}
}

func order(field string, desc bool) string {
	direction := " ASC"
	if desc {
		direction = " DESC"
	}
	by := "id" + direction
	if field != "id" {
		by = sortColumn(field) + direction + ", " + by
	}
	if field == "due_date" {
		by = "due_date IS NULL, " + by
	}
	return by
}

// A where is a WHERE clause and its values.
type where struct {
	conditions []string
	args       []any
}

// selection is the tasks that a query selects, on all pages.
func selection(userID string, q task.Query, d dialect) *where {
	var w where
	w.add("user_id = ?", userID)
	switch q.Status {
	case "pending":
		w.add("completed = ?", false)
	case "completed":
		w.add("completed = ?", true)
	}
	if q.Priority != "" {
		w.add("priority = ?", q.Priority.Rank())
	}
	if len(q.Tags) > 0 {
		w.add(d.hasTags, listJSON(q.Tags))
	}
	if q.Search != "" {
		text := strings.ToLower(q.Search)
		w.add("("+fmt.Sprintf(d.contains, "title_lower")+" OR "+fmt.Sprintf(d.contains, "description_lower")+")", text, text)
	}
	if q.DueBefore != nil {
		w.add("due_date < ?", task.Timestamp(*q.DueBefore))
	}
	if q.DueAfter != nil {
		w.add("due_date >= ?", task.Timestamp(*q.DueAfter))
	}
	if q.Overdue {
		w.add("due_date < ? AND completed = ?", task.Timestamp(q.Now), false)
	}
	return &w
}

// after leaves the tasks that come after a cursor.
func (w *where) after(c cursor) {
	than := ">"
	if c.Desc {
		than = "<"
	}
	column := sortColumn(c.Sort)
	switch value := c.value(); {
	case c.Sort == "id":
		w.add("id "+than+" ?", c.ID)
	case c.Null:
		w.add("(due_date IS NULL AND id "+than+" ?)", c.ID)
	case c.Sort == "due_date":
		w.add("(due_date IS NULL OR (due_date, id) "+than+" (?, ?))", value, c.ID)
	default:
		w.add("("+column+", id) "+than+" (?, ?)", value, c.ID)
	}
}

// add joins a condition; each ? in it stands for the next of args.
func (w *where) add(condition string, args ...any) {
	for _, arg := range args {
		w.args = append(w.args, arg)
		condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1)
	}
	w.conditions = append(w.conditions, condition)
}

func (w *where) sql() string { return " WHERE " + strings.Join(w.conditions, " AND ") }

func listJSON(texts []string) string {
	text, _ := json.Marshal(texts) // a list of strings always has a JSON form
	return string(text)
}
